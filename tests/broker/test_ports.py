import socket

from cronstream.broker.ports import HOST, free_port, is_free


def test_a_port_that_something_listens_on_is_not_free() -> None:
    with socket.create_server((HOST, 0)) as listener:
        assert not is_free(listener.getsockname()[1])


def test_the_first_preferred_port_that_is_free_is_taken() -> None:
    with socket.create_server((HOST, 0)) as listener:
        taken = listener.getsockname()[1]
        wanted = free_port()
        assert free_port(taken, wanted) == wanted


def test_another_port_is_found_when_the_preferred_one_is_taken() -> None:
    with socket.create_server((HOST, 0)) as listener:
        taken = listener.getsockname()[1]
        found = free_port(taken)
        assert found != taken
        assert is_free(found)
