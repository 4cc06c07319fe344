"""The documentation: its commands and code are run, its links lead somewhere, and its site builds.

A page is followed from its first fenced block to its last, by a reader with a home of their own:

- `console`: the lines that begin with `$ ` are run, in one shell. Output that is shown is compared; `...` stands for
  what varies. A command must succeed, but before `$ echo $?`.
- `console terminal=2`: the same in another terminal, where the last command runs on. `^C` in the first line ends it.
- `python`: run as a program. A block `text output` behind it is what it prints.
- any language with `file=NAME`: written to that file. The paragraph above names it.
- `text`: no code, such as a line of a log.

A block that cannot be run says why below it: `*Not run here: needs a package registry.*` Two comments, which nobody
sees, say what a page takes for granted and what the reader does in the browser:

    <!-- Run with: server, zuliprc -->
    <!-- In the browser: add the bot Echo and download its zuliprc -->

`server` is one that pages share, at chat.example.com; `own server` and `stopped server` are for one page alone.
`zuliprc`, `password`, `key`, `leak` and `certificates` are files in the home. `python -m tests.docs.reader PAGE`
follows a page and prints what the terminals show.
"""
