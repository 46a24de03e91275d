"""What `make deploy` tells the page."""

import json
from pathlib import Path

import pytest

from tools.page_config import main, page_config

OUTPUTS = {
    "WebSocketUrl": "wss://api1.execute-api.eu-central-1.amazonaws.com/prod",
    "ManagementEndpoint": "https://api1.execute-api.eu-central-1.amazonaws.com/prod",
    "UserPoolId": "eu-central-1_Abc123",
    "UserPoolClientId": "page1",
    "Region": "eu-central-1",
    "ConnectionsTableName": "c",
    "RobotPresenceTableName": "r",
}
CONFIG = {
    "webSocketUrl": "wss://api1.execute-api.eu-central-1.amazonaws.com/prod",
    "region": "eu-central-1",
    "userPoolId": "eu-central-1_Abc123",
    "userPoolClientId": "page1",
}


def test_the_page_learns_where_to_connect_and_to_sign_in() -> None:
    """And nothing about tables or the management API."""
    assert page_config(OUTPUTS) == CONFIG


def test_the_page_learns_the_sign_in_domain_where_there_is_one() -> None:
    """A stack on another's pool has none of its own."""
    domain = "robosignal-dev-1.auth.eu-central-1.amazoncognito.com"

    assert page_config(OUTPUTS | {"SignInDomain": domain}) == CONFIG | {"signInDomain": domain}


def test_cdks_file_of_outputs_becomes_the_pages_file(tmp_path: Path) -> None:
    """As `cdk deploy --outputs-file` writes it: one stack, by its name."""
    source, page = tmp_path / "outputs.json", tmp_path / "config.json"
    source.write_text(json.dumps({"robosignal-dev": OUTPUTS}))

    assert main([str(source), str(page)]) == 0
    assert json.loads(page.read_text()) == CONFIG


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"a": {}}', '{"a": {}, "b": {}}', '{"a": {"Region": "x"}}']
)
def test_other_files_are_refused_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    """And the page's file stays as it was."""
    source, page = tmp_path / "outputs.json", tmp_path / "config.json"
    source.write_text(text)
    page.write_text("{}")

    assert main([str(source), str(page)]) == 1
    assert page.read_text() == "{}"
    assert capsys.readouterr().err.startswith(f"robosignal: {source} has no outputs of one stack")
