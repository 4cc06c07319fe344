"""The documentation: its commands and code are run, its links lead somewhere, and its site builds.

A page is followed from its first fenced block to its last, by a reader with a home directory:

- `console`: the lines that begin with `$ ` are run, in one shell. The shown output is compared; `...` stands for
  any text. A command must succeed, unless `$ echo $?` follows.
- `console terminal=2`: the same in another terminal, where the last command runs on. `^C` in the first line ends it.
- `python`: run as a program. A block `text output` after it is its output.
- any language with `file=NAME`: written to that file. The paragraph above names it.
- `text`: not code, such as a line of a log.

If a block cannot be run, the line below it says why: `*Not run here: needs a package registry.*` Two invisible comments
say what a page needs and what the reader does in the browser:

    <!-- Run with: server, zuliprc -->
    <!-- In the browser: add the bot Echo and download its zuliprc -->

`server` is one that pages share, at chat.example.com; `own server` and `stopped server` are for one page alone.
`zuliprc`, `password`, `key`, `leak` and `certificates` are files in the home. `python -m tests.docs.reader PAGE`
follows a page and prints what the terminals show.
"""
