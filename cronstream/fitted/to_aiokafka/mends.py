"""What aiokafka (0.14) does not do and has to do here; each goes when a release has it."""

from cronstream.fitted.to_aiokafka.bootstrap import ask_the_bootstrap_again
from cronstream.fitted.to_aiokafka.connections import notice_who_is_gone
from cronstream.fitted.to_aiokafka.leaders import keep_leaders_known


def mend_aiokafka() -> None:
    """Mend all clients of this process, those to come and those that are there."""
    keep_leaders_known()
    notice_who_is_gone()
    ask_the_bootstrap_again()
