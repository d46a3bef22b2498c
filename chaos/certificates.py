"""Certificates for tests and chaos, made by the ``openssl`` command."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Authority:
    """Somebody who vouches for others, with files in a folder of its own."""

    folder: Path

    @property
    def certificate(self) -> Path:
        """What others have to trust."""
        return self.folder / "ca.pem"

    @classmethod
    def new(cls, folder: Path) -> "Authority":
        """Return one that has just been made."""
        folder.mkdir()
        made = cls(folder)
        _req(folder / "ca.key", made.certificate, "/CN=an authority", "-days", "2")
        return made

    def issue(self, name: str, *, days: int = 2, host: str = "IP:127.0.0.1") -> Path:
        """Return a file with a key, and the certificate of one whom this one vouches for.

        Args:
            name: Of the file, and of whom it is for.
            days: Until it expires; it has expired if that is negative.
            host: The address it is for.
        """
        key, request, signed = (self.folder / f"{name}.{kind}" for kind in ("key", "csr", "crt"))
        _req(key, request, f"/CN={name}", new=False)
        names = self.folder / f"{name}.ext"
        names.write_text(f"subjectAltName={host}\n")
        by = ("-CA", self.certificate, "-CAkey", self.folder / "ca.key", "-CAcreateserial")
        asked = ("-in", request, "-out", signed, "-days", days, "-extfile", names)
        _openssl("x509", "-req", *asked, *by)
        both = self.folder / f"{name}.pem"
        both.write_text(key.read_text() + signed.read_text())
        return both


def _req(key: Path, out: Path, subject: str, *more: str, new: bool = True) -> None:
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    kind = ("-x509",) if new else ()
    _openssl("req", *kind, *curve, "-keyout", key, "-out", out, "-subj", subject, *more)


def _openssl(*arguments: object) -> None:
    program = shutil.which("openssl") or "openssl"
    subprocess.run([program, *map(str, arguments)], check=True, capture_output=True, timeout=60)
