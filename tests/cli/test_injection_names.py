"""Which names a secret may be given to without further ado."""

import pytest

from app.cli.redeem import Allowed, name_faults


def words(text: str) -> list[str]:
    return text.split()


NOTHING_ALLOWED = Allowed((), override=False)

POWERFUL = words(
    """
LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT DYLD_INSERT_LIBRARIES GLIBC_TUNABLES GCONV_PATH MALLOC_CHECK_
PATH IFS ENV BASH_ENV BASH_FUNC_x SHELLOPTS BASHOPTS PROMPT_COMMAND PS1 PS4 CDPATH ZDOTDIR HOME
TMPDIR XDG_CONFIG_HOME EDITOR VISUAL PAGER GIT_PAGER MANPAGER BROWSER LESSOPEN SSH_ASKPASS TERMINFO
PYTHONSTARTUP PYTHONPATH PYTHONHOME PERL5OPT PERL5LIB RUBYOPT RUBYLIB NODE_OPTIONS NODE_PATH
NODE_EXTRA_CA_CERTS NODE_TLS_REJECT_UNAUTHORIZED JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS
CLASSPATH MAVEN_OPTS DOTNET_STARTUP_HOOKS CORECLR_PROFILER PHPRC PHP_INI_SCAN_DIR LUA_INIT
R_PROFILE_USER ERL_AFLAGS GIT_SSH_COMMAND GIT_CONFIG_GLOBAL MAKEFLAGS NPM_CONFIG_REGISTRY
npm_config_registry PIP_INDEX_URL UV_INDEX_URL RUSTC_WRAPPER RUSTFLAGS CARGO_HOME GOFLAGS GOPROXY
DOCKER_HOST KUBECONFIG AWS_CONFIG_FILE SSL_CERT_FILE SSL_CERT_DIR SSLKEYLOGFILE OPENSSL_CONF
REQUESTS_CA_BUNDLE CURL_CA_BUNDLE AWS_CA_BUNDLE HTTP_PROXY https_proxy ALL_PROXY no_proxy
ANTHROPIC_BASE_URL OPENAI_BASE_URL RUNLOOP_BASE_URL OPENAI_API_BASE AWS_ENDPOINT_URL
AWS_ENDPOINT_URL_S3 STRONGROOM_KEYS VAULT_ADDR
"""
)

ORDINARY = words(
    """
DATABASE_PASSWORD DATABASE_URL API_KEY GITHUB_TOKEN OPENAI_API_KEY ANTHROPIC_API_KEY RUNLOOP_API_KEY
AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN NPM_TOKEN NODE_AUTH_TOKEN RUBYGEMS_API_KEY
CARGO_REGISTRY_TOKEN GEM_HOST_API_KEY DOCKER_PASSWORD VAULT_TOKEN PGPASSWORD REDIS_URL SMTP_HOST
GOOGLE_API_KEY SSH_PRIVATE_KEY TLS_KEY SSL_KEY HOMEPAGE MY_PATH TERMS PSK _X x GREETING
"""
)


def names_refused(*names: str, inherited: tuple[str, ...] = (), allowed: Allowed) -> list[str]:
    return [fault.text.split()[0] for fault in name_faults(names, inherited, allowed)]


@pytest.mark.parametrize("name", POWERFUL)
def test_a_name_that_changes_what_programs_do_is_refused(name: str) -> None:
    assert names_refused(name, allowed=NOTHING_ALLOWED) == [name]


@pytest.mark.parametrize("name", ORDINARY)
def test_a_name_that_secrets_usually_have_is_fine(name: str) -> None:
    assert names_refused(name, allowed=NOTHING_ALLOWED) == []


def test_only_the_very_name_is_allowed() -> None:
    allowed = Allowed(["LD_PRELOAD"], override=False)
    assert names_refused("LD_PRELOAD", "LD_AUDIT", allowed=allowed) == ["LD_AUDIT"]


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A=B", "A B", "A\n", "Ä", "A\0", "٣"])
def test_what_cannot_be_a_variable_is_refused_even_if_allowed(name: str) -> None:
    assert len(name_faults([name], (), Allowed([name], override=True))) == 1


def test_a_name_that_cannot_be_a_variable_is_shown_harmlessly() -> None:
    (fault,) = name_faults(["\x1b[2J" + "x" * 1000], (), NOTHING_ALLOWED)
    assert fault.text.isprintable()
    assert len(fault.text) < 150


def test_a_variable_that_is_set_needs_override() -> None:
    inherited = ("A", "B")
    assert names_refused("A", "C", inherited=inherited, allowed=NOTHING_ALLOWED) == ["A"]
    assert names_refused("A", inherited=inherited, allowed=Allowed((), override=True)) == []
