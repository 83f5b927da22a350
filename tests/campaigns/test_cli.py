"""The command line as people and scripts meet it: help, answers, refusals, exit codes."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import openpyxl
import pytest
import typer
from typer.testing import CliRunner, Result

import campaigns.reproduction
from campaigns.campaign import Campaign
from campaigns.cli import COMMANDS, app
from campaigns.commands.definitions import template_text
from campaigns.definition import CampaignDefinition
from campaigns.ledger import Ledger
from doe.documents import from_document, json_schema, load_document
from tests.campaigns.campaigns import (
    ANA,
    BLOCKED_SPACE,
    DrawnStrategy,
    corners,
    new_campaign,
    results,
)

Run = Callable[..., Result]
REASON = ("--reason", "a reason that a reader understands")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BAYESWELL_STORE", "bayeswell.sqlite")
    monkeypatch.setenv("BAYESWELL_ACTOR", "ana")
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def run() -> Run:
    runner = CliRunner()
    return lambda *words: runner.invoke(app, [str(word) for word in words])


@pytest.fixture
def store() -> Path:
    """Five designed runs with results (1 to 5), one without (6), three proposed (7 to 9)."""
    with new_campaign("bayeswell.sqlite") as campaign:
        campaign.seed(corners())
        campaign.record(results(campaign, "1", "2", "3", "4", "5"))
        campaign.seed(corners())
        campaign.reject_rest() if hasattr(campaign, "reject_rest") else None
        campaign.recommend(3, DrawnStrategy())
    return Path("bayeswell.sqlite")


def answer(result: Result) -> dict[str, object]:
    """Return the JSON that a command answered with."""
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


def events_of(store: Path) -> int:
    """Return how many events a store holds."""
    with Ledger(store) as ledger:
        return sum(summary.n_events for summary in ledger.streams())
