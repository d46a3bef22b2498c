"""As whom a command runs, and how much it may use at most."""

from cronstream.core.wire.record import Record
from cronstream.errors import MessageError


class Confinement(Record, namespace="cronstream.Confinement"):
    """As whom a command runs, and how much it may use at most; None is as its worker."""

    #: The user's name, or number.
    user: str | None = None
    #: Rights that files get from nobody when they are made (umask(2)).
    umask: int | None = None
    #: Seconds of processor time of each process.
    cpu_s: int | None = None
    #: Bytes of address space of each process.
    memory_bytes: int | None = None
    #: Files that each process has open.
    files: int | None = None
    #: Bytes of each file that is written.
    file_bytes: int | None = None
    #: Processes (and threads) of the user, whoever started them.
    processes: int | None = None

    def __post_init__(self) -> None:
        """Refuse what no system takes."""
        limits = (self.cpu_s, self.memory_bytes, self.files, self.file_bytes, self.processes)
        if any(limit is not None and limit < 1 for limit in limits):
            raise MessageError(f"confinement {self.asdict()} is out of range")
        if self.user == "" or (self.umask is not None and not 0 <= self.umask <= 0o777):
            raise MessageError(f"confinement {self.asdict()} is out of range")
