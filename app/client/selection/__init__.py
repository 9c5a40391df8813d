"""The user's choice of secrets and variables, and the values of the secrets that were chosen."""

from app.client.selection.choosing import Chosen, choose
from app.client.selection.options import Choice, choice_options, gateway_option
from app.client.selection.values import leave_out_oversized, token_of, tokens_of, values_of

__all__ = [
    "Choice",
    "Chosen",
    "choice_options",
    "choose",
    "gateway_option",
    "leave_out_oversized",
    "token_of",
    "tokens_of",
    "values_of",
]
