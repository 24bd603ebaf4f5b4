"""Settings and addresses of remotes."""

from mlpipe_ci.repo.git.remote import settings_of
from tests.support.git_repository import opened
from tests.support.repository import Repo


def test_passwords_in_the_remotes_address_are_not_told(repo: Repo) -> None:
    repo.git("remote", "add", "origin", "https://user:secret@example.invalid/a/b.git?token=x")
    assert opened(repo).remote_url() == "https://example.invalid/a/b.git"


def test_a_setting_without_a_value_is_true(repo: Repo) -> None:
    with (repo.root / ".git/config").open("a") as file:
        file.write("[http]\n\tsslVerify\n\tproxy =\n")
    found = dict(settings_of(opened(repo).command))
    assert found == {"http.sslverify": "true", "http.proxy": ""}
