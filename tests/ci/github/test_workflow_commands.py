"""Commands in the log of GitHub Actions."""

from hypothesis import given
from hypothesis import strategies as st

from mlpipe_ci.ci.github import workflow_commands as actions
from mlpipe_ci.core.errors import Diagnostic


def test_workflow_commands_are_escaped() -> None:
    diagnostic = Diagnostic(file="a,b:c%.yml", line=3, column=5, message="m")
    assert actions.error("x%\ny\r::error::", diagnostic) == (
        "::error file=a%2Cb%3Ac%25.yml,line=3,col=5,title=mlpipe::x%25%0Ay\\r::error::"
    )
    assert actions.group("a\nb") == "::group::a%0Ab"


@given(
    st.text(max_size=9), st.sampled_from(("::error::x", "  ::set-output name=a::b", "##[error]x"))
)
def test_no_line_of_ours_is_a_command(before: str, command: str) -> None:
    for text in (command, f"{before}{command}", f"{command}{before}"):
        line = actions.inert(text)
        assert "##[" not in line
        assert not line.lstrip().startswith("::")
        assert line.replace("\u200b", "") == text.replace("\u200b", "")
