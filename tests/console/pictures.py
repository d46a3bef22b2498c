"""Makes the pictures of the console in docs/pictures: ``python -m tests.console.pictures``."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any, Final

from tests.console.browser import browsing, showing

_FOLDER: Final = Path(__file__).parents[2] / "docs" / "pictures"
#: Name, page, theme, and how high the window is.
_PICTURES: Final = (
    ("console-overview", "overview", "light", 860),
    ("console-job", "job", "dark", 860),
    ("console-run", "run", "light", 760),
)


async def main() -> None:
    """Write all of them."""
    with tempfile.TemporaryDirectory() as folder:
        async with showing(Path(folder)) as site, browsing() as browser:
            for name, page_name, theme, height in _PICTURES:
                wish: dict[str, Any] = {"color_scheme": theme, "reduced_motion": "reduce"}
                view: Any = {"width": 1180, "height": height}
                context = await browser.new_context(viewport=view, **wish)
                page = await site.open(context, site.pages[page_name])
                path = _FOLDER / f"{name}.png"
                await page.screenshot(path=path)
                print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
                await context.close()


if __name__ == "__main__":
    asyncio.run(main())
