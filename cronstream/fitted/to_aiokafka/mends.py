"""What aiokafka (0.14) does not do and has to do here; each goes when a release has it."""

from cronstream.fitted.to_aiokafka.bootstrap import ask_the_bootstrap_again
from cronstream.fitted.to_aiokafka.connections import detect_dead_connections
from cronstream.fitted.to_aiokafka.counting import count_what_is_taken
from cronstream.fitted.to_aiokafka.leaders import ask_for_lost_leaders
from cronstream.fitted.to_aiokafka.logins import notice_refused_tokens
from cronstream.fitted.to_aiokafka.resting import let_consumers_rest


def mend_aiokafka() -> None:
    """Mend all clients of this process, those to come and those that are there."""
    ask_for_lost_leaders()
    count_what_is_taken()
    detect_dead_connections()
    notice_refused_tokens()
    ask_the_bootstrap_again()
    let_consumers_rest()
