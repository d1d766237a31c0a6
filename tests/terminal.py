"""A program on a pseudo-terminal, and the screen that it draws: as much of xterm as ncurses uses.

Only the standard library, so that it runs where there is no tmux.
"""
import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
import unicodedata

CSI = re.compile(r'\x1b\[([?>=!]?)([0-9;:]*)([ -/]*)([@-~])')


def width(char):
    if unicodedata.combining(char) or unicodedata.category(char) in ('Mn', 'Me', 'Cf'):
        return 0
    return 2 if unicodedata.east_asian_width(char) in 'WF' else 1


class Screen:
    """Cells hold the character that begins there; the second cell of a wide one is ''."""

    def __init__(self, cols, rows):
        self.cols, self.rows = cols, rows
        self.saved = None
        self.alternate, self.cursor_shown, self.mouse = False, True, False
        self.clear()
        self.rest = ''
        self.unknown = []

    def clear(self):
        self.cell = [[' '] * self.cols for _ in range(self.rows)]
        self.x = self.y = 0
        self.top, self.bottom = 0, self.rows - 1
        self.last = ' '

    def lines(self):
        return [''.join(row).rstrip() for row in self.cell]

    def text(self):
        return '\n'.join(self.lines())

    # ---- drawing

    def scroll(self, n):
        for _ in range(min(abs(n), self.rows)):
            if n > 0:
                del self.cell[self.top]
                self.cell.insert(self.bottom, [' '] * self.cols)
            else:
                del self.cell[self.bottom]
                self.cell.insert(self.top, [' '] * self.cols)

    def down(self):
        if self.y == self.bottom:
            self.scroll(1)
        elif self.y < self.rows - 1:
            self.y += 1

    def put(self, char):
        n = width(char)
        if n == 0:
            at = max(self.x - 1, 0)
            while at > 0 and self.cell[self.y][at] == '':
                at -= 1
            self.cell[self.y][at] += char
            return
        if self.x + n > self.cols:
            self.x = 0
            self.down()
        row = self.cell[self.y]
        if row[self.x] == '' and self.x > 0:  # half of a wide one is lost
            row[self.x - 1] = ' '
        end = self.x + n
        if end < self.cols and row[end] == '':
            row[end] = ' '
        row[self.x] = char
        if n == 2:
            row[self.x + 1] = ''
        self.last = char
        self.x += n

    def blank(self, y, begin, end):
        for x in range(max(begin, 0), min(end, self.cols)):
            self.cell[y][x] = ' '

    # ---- sequences

    def control(self, char):
        if char == '\r':
            self.x = 0
        elif char in '\n\v\f':
            self.down()
        elif char == '\b':
            self.x = max(min(self.x, self.cols) - 1, 0)
        elif char == '\t':
            self.x = min(self.x // 8 * 8 + 8, self.cols - 1)

    def mode(self, numbers, on):
        for n in numbers:
            if n in (47, 1047, 1049):
                if on and not self.alternate:
                    self.saved = (self.cell, self.x, self.y)
                    self.clear()
                elif not on and self.alternate and self.saved:
                    self.cell, self.x, self.y = self.saved
                self.alternate = on
            elif n == 25:
                self.cursor_shown = on
            elif n in (1000, 1002, 1003):
                self.mouse = on

    def edit(self, final, n):
        row = self.cell[self.y]
        if final == '@':
            row[self.x:self.x] = [' '] * n
            del row[self.cols:]
        elif final == 'P':
            del row[self.x:self.x + n]
            row += [' '] * (self.cols - len(row))
        elif final == 'X':
            self.blank(self.y, self.x, self.x + n)
        elif final in 'LM':
            if not self.top <= self.y <= self.bottom:
                return
            top, self.top = self.top, self.y
            self.scroll(n if final == 'M' else -n)
            self.top = top

    def erase(self, final, what):
        begin = 0 if what in (1, 2, 3) else self.x
        end = self.x + 1 if what == 1 else self.cols
        self.blank(self.y, begin, end)
        if final == 'J':
            for y in range(self.rows):
                if what in (2, 3) or (what == 0 and y > self.y) or (what == 1 and y < self.y):
                    self.blank(y, 0, self.cols)

    def csi(self, mark, numbers, final):
        n = max(numbers[0] if numbers else 0, 1)
        if mark == '?' and final in 'hl':
            self.mode(numbers, final == 'h')
        elif mark or final in 'mnhlcqtu':
            return
        elif final in 'Hf':
            self.y = min(n, self.rows) - 1
            self.x = min(max(numbers[1] if len(numbers) > 1 else 1, 1), self.cols) - 1
        elif final in 'AF':
            self.y = max(self.y - n, 0)
        elif final in 'BEe':
            self.y = min(self.y + n, self.rows - 1)
        elif final in 'Ca':
            self.x = min(self.x + n, self.cols - 1)
        elif final == 'D':
            self.x = max(self.x - n, 0)
        elif final in 'G`':
            self.x = min(n, self.cols) - 1
        elif final == 'd':
            self.y = min(n, self.rows) - 1
        elif final in 'JK':
            self.erase(final, numbers[0] if numbers else 0)
        elif final in '@PXLM':
            self.edit(final, n)
        elif final == 'S':
            self.scroll(n)
        elif final == 'T':
            self.scroll(-n)
        elif final == 'b':
            for _ in range(n):
                self.put(self.last)
        elif final == 'r':
            self.top = n - 1
            self.bottom = (numbers[1] if len(numbers) > 1 and numbers[1] else self.rows) - 1
            self.x = self.y = 0
        else:
            self.unknown.append(final)

    def escape(self, text, at):
        """The end of the sequence at `at`, or None when it is not all there."""
        found = CSI.match(text, at)
        if found:
            numbers = [int(n or 0) for n in re.split('[;:]', found.group(2))] if found.group(2) else []
            if not found.group(3):
                self.csi(found.group(1), numbers, found.group(4))
            return found.end()
        if at + 1 >= len(text) or text[at + 1] == '[':
            return None if len(text) - at < 64 else at + 1
        kind = text[at + 1]
        if kind in ']P_^':
            ends = [text.find(e, at) + len(e) for e in ('\a', '\x1b\\') if text.find(e, at) >= 0]
            return min(ends) if ends else None
        if kind in '()*+#%':
            return at + 3 if at + 2 < len(text) else None
        if kind == 'M':
            if self.y == self.top:
                self.scroll(-1)
            else:
                self.y = max(self.y - 1, 0)
        elif kind in 'DE':
            self.down()
            self.x = 0 if kind == 'E' else self.x
        elif kind == '7':
            self.kept = (self.x, self.y)
        elif kind == '8':
            self.x, self.y = getattr(self, 'kept', (0, 0))
        return at + 2

    def write(self, text):
        text = self.rest + text
        self.rest = ''
        at = 0
        while at < len(text):
            char = text[at]
            if char == '\x1b':
                end = self.escape(text, at)
                if end is None:
                    self.rest = text[at:]
                    return
                at = end
                continue
            if char < ' ' or char == '\x7f':
                self.control(char)
            else:
                self.put(char)
            at += 1


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, command, env, cols=80, rows=24, cwd=None):
        self.screen = Screen(cols, rows)
        self.decoder = codecs.getincrementaldecoder('utf-8')('replace')
        self.status = None
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack('HHHH', rows, cols, 0, 0))
        self.modes = termios.tcgetattr(self.slave)
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.setsid()
                fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
                for fd in range(3):
                    os.dup2(self.slave, fd)
                os.closerange(3, 256)
                if cwd:
                    os.chdir(cwd)
                os.execve(command[0], command, env)
            finally:
                os._exit(127)

    def read(self, seconds):
        """Takes in what comes within that time, or at once what is there; False: nothing came."""
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.screen.write(self.decoder.decode(data))
        return bool(data)

    def ended(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
        return self.status is not None

    def wait_for(self, wanted, patience):
        """wanted: a function of the screen, or a regular expression that a line must match."""
        test = wanted if callable(wanted) else lambda s: re.search(wanted, s.text(), re.M)
        end = time.monotonic() + patience
        while True:
            while self.read(0):
                pass
            if test(self.screen):
                return True
            if time.monotonic() > end or (self.ended() and not self.read(0)):
                return bool(test(self.screen))
            self.read(0.05)

    def send(self, text):
        data = text.encode()
        while data:
            select.select([], [self.master], [], 5)
            data = data[os.write(self.master, data):]

    def wait_end(self, patience):
        """The exit status; None when it did not end."""
        end = time.monotonic() + patience
        while not self.ended() and time.monotonic() < end:
            self.read(0.02)
        while self.read(0):
            pass
        return None if self.status is None else os.waitstatus_to_exitcode(self.status)

    def restored(self):
        """The terminal is as it was: cooked, on its first screen, with a cursor."""
        return (termios.tcgetattr(self.slave) == self.modes and not self.screen.alternate and
                self.screen.cursor_shown and not self.screen.mouse)

    def close(self):
        if not self.ended():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.status = -1
        os.close(self.master)
        os.close(self.slave)
