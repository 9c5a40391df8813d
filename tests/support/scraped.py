"""The metrics of a process, as Prometheus reads them."""

from dataclasses import dataclass

import requests
from prometheus_client.parser import text_string_to_metric_families


@dataclass
class Scraped:
    """The address of the metrics of a server or of a gateway."""

    metrics_url: str

    def text(self) -> str:
        """All metrics."""
        answer = requests.get(f"{self.metrics_url}/metrics", timeout=30)
        answer.raise_for_status()
        return answer.text

    def value(self, name: str, **labels: str) -> float:
        """The value of a sample; 0 if there is none."""
        for family in text_string_to_metric_families(self.text()):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return sample.value
        return 0.0
