"""Completion in bash, whose words end at the ``@`` and the ``:`` of a run's id.

zsh and fish have no such trouble, and use what click has for them.
"""

import os
import shlex
from typing import Final

from click.shell_completion import BashComplete, add_completion_class

#: Bash splits words at the characters of COMP_WORDBREAKS, so the line itself is handed over, and
#: from what comes back that part is taken which bash believes to be words before this one. A "!"
#: is escaped: at an interactive prompt it would be history.
_BASH: Final = r"""%(complete_func)s() {
    local IFS=$'\n' line="${COMP_LINE:0:$COMP_POINT}" word before="" type value c
    word="${line##*[[:space:]]}"
    for ((c = ${#word}; c > 0; c--)); do
        case "${word:c-1:1}" in
            [@:=]) [[ "$COMP_WORDBREAKS" == *"${word:c-1:1}"* ]] && before="${word:0:c}" && break ;;
        esac
    done
    COMPREPLY=()
    while IFS=',' read -r type value; do
        value="${value//\!/\\!}"
        case "$type" in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("${value#"$before"}") ;;
        esac
    done < <(env COMP_WORDS="$line" %(complete_var)s=bash_complete "$1" 2> /dev/null)
    [[ ${#COMPREPLY[@]} -eq 1 && "${COMPREPLY[0]}" == *@ ]] && compopt -o nospace 2> /dev/null
    return 0
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class Bash(BashComplete):
    """Completes the last word of the line, whatever bash takes for a word."""

    source_template = _BASH

    @staticmethod
    def _check_version() -> None:
        """Not asked: what is in the script every bash since 4.4 knows, and older ones say so."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the one that is typed, and that one as far as it goes."""
        line = os.environ["COMP_WORDS"]
        words = _words(line)[1:]
        return (words, "") if line[-1:].isspace() else (words[:-1], (words or [""])[-1])


def _words(line: str) -> list[str]:
    """Return the words as a shell reads them; the last may have a quote that is still open."""
    reader = shlex.shlex(line, posix=True)
    reader.whitespace_split, reader.commenters = True, ""
    found = list[str]()
    try:
        for word in reader:
            found.append(word)
    except ValueError:
        found.append(reader.token)
    return found


def offer() -> None:
    """Have click complete in bash by this."""
    add_completion_class(Bash, "bash")
