#!/usr/bin/env python3
"""The chat on a real model in a terminal: three turns in Japanese, one of them stopped, the system prompt changed, quit, resumed.
The screen, the database and the counts of reused and computed tokens are checked.  Prints TAP.

usage: chat_pty.py KAIWA MODEL [--backend cpu|cuda] [--decoder NAME] [--threads N] [--reply-tokens N] [--patience SECONDS] [--show]

Any model will do, also one with random weights: what it says is not looked at.
"""
import argparse
import json
import os
import re
import sqlite3
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from terminal import Terminal  # noqa: E402

QUESTIONS = ['こんにちは。あなたは誰ですか？', 'kaiwa の使い方を教えてください。', '長い昔話を最後まで聞かせてください。',
             '今日は何を食べましょうか。', '先ほどの話を短くまとめてください。', 'ありがとう。また明日。']
SYSTEM = 'あなたは丁寧な日本語で短く答えます。'
READY = r'^ ready\b'


class Test:
    def __init__(self, args, home):
        self.args, self.home, self.n, self.failed = args, home, 0, False
        self.db = os.path.join(home, 'chat.db')
        self.terminal = None

    def ok(self, good, name, *notes):
        self.n += 1
        self.failed |= not good
        print(f'{"" if good else "not "}ok {self.n} - {name}')
        if not good:
            for line in list(map(str, notes)) + (self.terminal.screen.lines() if self.terminal else []):
                print(f'#   {line}')
        sys.stdout.flush()
        return good

    def need(self, good, name, *notes):
        """What comes after makes no sense without."""
        if not self.ok(good, name, *notes):
            self.end()

    def end(self):
        if self.terminal:
            self.terminal.close()
        print(f'1..{self.n}')
        sys.exit(self.failed)

    # ---- the program

    def start(self, *more):
        a = self.args
        command = [os.path.abspath(a.kaiwa), '-m', os.path.abspath(a.model) if os.path.exists(a.model) else a.model,
                   '--backend', a.backend, '--db', self.db, '--temperature', '0', '--seed', '1', '--no-pre-read',
                   '-n', str(a.reply_tokens), '--threads', a.threads, *(['--decoder', a.decoder] if a.decoder else []), *more]
        env = {k: v for k, v in os.environ.items() if not k.startswith(('KAIWA_', 'XDG_', 'LC_', 'HF_')) and k != 'LANG'}
        env.update(HOME=self.home, LC_ALL='C.UTF-8', LANGUAGE='en', TZ='UTC', TERM=os.environ.get('KAIWA_TERM', 'xterm'))
        self.terminal = Terminal(command, env, cwd=self.home)
        return self.terminal.wait_for(READY, a.patience)

    def leave(self):
        # twice, so that it also leaves where a draft stands in the box
        self.terminal.send('\x03')
        time.sleep(0.2)
        self.terminal.send('\x03')
        status = self.terminal.wait_end(30)
        self.ok(status == 0, 'it quits with status 0', f'status {status}')
        self.ok(self.terminal.restored(), 'the terminal is as it was')
        found = re.search(r'kaiwa -r ([0-9a-f]+)', self.terminal.screen.text())
        self.terminal.close()
        return found and found.group(1)

    def type(self, text):
        self.terminal.send(text)
        tail = re.escape(text[-6:])
        return self.terminal.wait_for(lambda s: re.search(r'^> .*' + tail, s.text(), re.M) and not s.x < 2, 20)

    def settings(self, *pairs):
        for name, value in pairs:
            self.terminal.send(f'/set {name} {value}\r')
            self.terminal.wait_for(r'^> *$', 10)
            time.sleep(0.1)

    def say(self, text):
        """Types and sends it; how many messages there were before, and whether all was shown."""
        before = len(self.messages())
        typed = self.type(text)
        self.terminal.send('\r')
        asked = self.terminal.wait_for(lambda s: re.search('^   ' + re.escape(text[:8]), s.text(), re.M) or self.has_ended(before), 20)
        return typed and asked, before

    def reply(self, before):
        return self.terminal.wait_for(lambda s: self.has_ended(before), self.args.patience) and \
            self.terminal.wait_for(READY + '|^ stopped', 20)

    def has_ended(self, before):
        rows = self.messages()
        return len(rows) >= before + 2 and rows[-1]['role'] == 'assistant' and rows[-1]['status'] != 'streaming'

    # ---- the database

    def messages(self):
        if not os.path.exists(self.db):
            return []
        with sqlite3.connect(f'file:{self.db}?mode=ro', uri=True) as db:
            db.row_factory = sqlite3.Row
            try:
                rows = db.execute('SELECT m.*, p.text AS system FROM message m LEFT JOIN prompt p ON p.id = m.system_id '
                                  'ORDER BY m.id').fetchall()
            except sqlite3.OperationalError:
                return []
        return [dict(r) for r in rows]

    def last(self):
        m = self.messages()[-1]
        m['prompt'] = m['n_reused'] + m['n_computed']
        m['n_ids'] = len(m['ids'] or b'') // 4
        return m


def check_turn(t, question, status, before_turn, name):
    """One turn; before_turn: the one that it goes on from, whose tokens must all be reused but the last, which was never fed."""
    typed, before = t.say(question)
    t.ok(typed, f'{name}: what is typed stands in the box, and then in the conversation')
    t.need(t.reply(before), f'{name}: a reply comes and ends')
    m = t.last()
    t.ok(m['status'] in status and m['n_ids'] > 0 and (m['text'] != '' or m['end_id'] >= 0), f'{name}: it is in the database',
         m['status'], m['n_ids'])
    if before_turn:
        wanted = before_turn['prompt'] + before_turn['n_ids'] - 1
        t.ok(m['n_reused'] == wanted and m['n_computed'] > 0, f'{name}: exactly what was in the cache is reused',
             f'reused {m["n_reused"]}, computed {m["n_computed"]}, wanted {wanted} reused')
    else:
        t.ok(m['n_reused'] == 0 and m['n_computed'] > 0, f'{name}: all is computed', m['n_reused'])
    t.ok(t.messages()[-2]['text'] == question, f'{name}: the question is in the database as it was typed')
    # the status line tells the same counts
    counts = f'reused {m["n_reused"]} + read {m["n_computed"]}'
    t.ok(t.terminal.wait_for(re.escape(counts), 5), f'{name}: the screen says what was reused and read', counts)
    return m


def check_stop(t, before_turn):
    """A long reply, stopped with Esc as soon as it runs.  Long, because penalties keep it from all tokens that occurred, its end
    among them.  Where a model finds an end all the same: once more."""
    t.settings(('max-tokens', 0), ('repeat-penalty', 100))
    question, m, took = QUESTIONS[2], None, 0
    for attempt in range(5):
        _, before = t.say(question) if attempt == 0 else (t.terminal.send('/retry\r'), len(t.messages()) - 1)
        running = t.terminal.wait_for(lambda s: re.search(r'^ replying', s.text(), re.M) or t.has_ended(before), t.args.patience)
        start = time.monotonic()
        t.terminal.send('\x1b')
        t.need(running and t.reply(before), 'turn 3: a reply begins and ends')
        took = time.monotonic() - start
        m = t.last()
        if m['status'] == 'stopped':
            break
        time.sleep(1)  # or what is typed next would go with Esc
        print(f'# turn 3 ended by itself ({m["status"]}, {m["n_ids"]} tokens); once more')
    t.ok(m['status'] == 'stopped', 'turn 3: Esc stops the reply', m['status'])
    t.ok(m['text'] != '' and m['n_ids'] > 0, 'turn 3: what had come is kept', m['n_ids'])
    t.ok(took < 3, 'turn 3: it stops at once', f'{took:.2f} s')
    t.ok(bool(t.terminal.wait_for(r'stopped', 5)), 'turn 3: the screen says that it was stopped')
    if attempt == 0:
        wanted = before_turn['prompt'] + before_turn['n_ids'] - 1
        t.ok(m['n_reused'] == wanted, 'turn 3: exactly what was in the cache is reused', m['n_reused'], wanted)
    else:
        t.ok(m['n_computed'] == 1, 'turn 3: another try computes one token', m['n_computed'])
    t.settings(('max-tokens', t.args.reply_tokens), ('repeat-penalty', 1))
    return m


def change_system(t):
    t.terminal.send('\x1bOR')  # F3
    t.need(t.terminal.wait_for('System prompt', 10), 'F3 opens the system prompt')
    t.terminal.send(SYSTEM)
    t.ok(t.terminal.wait_for(r'the next reply re-reads \d+ of \d+ tokens', 20), 'its cost is told before it is changed')
    t.terminal.send('\r')
    t.ok(t.terminal.wait_for(lambda s: 'System prompt' not in s.text(), 10), 'Enter takes it')


def run(t):
    t.need(t.start(), 'the chat opens and the model gets ready')
    one = check_turn(t, QUESTIONS[0], ('complete', 'length'), None, 'turn 1')
    two = check_turn(t, QUESTIONS[1], ('complete', 'length'), one, 'turn 2')
    three = check_stop(t, two)
    change_system(t)
    _, before = t.say(QUESTIONS[3])
    t.need(t.reply(before), 'turn 4: a reply under the new system prompt')
    four = t.last()
    t.ok(four['system'] == SYSTEM, 'turn 4: the database knows which system prompt it had', four['system'])
    t.ok(four['n_reused'] < one['prompt'] and four['prompt'] > three['prompt'],
         'turn 4: it re-reads the conversation from the system prompt on', four['n_reused'], four['n_computed'])
    uid = t.leave()
    t.need(bool(uid), 'it says how to go on')
    t.need(t.start('-r', uid), 'the conversation is resumed')
    t.ok(t.terminal.wait_for(QUESTIONS[3][:6], 10), 'its last turn is on the screen')
    five = check_turn(t, QUESTIONS[4], ('complete', 'length'), None, 'after resuming')
    t.ok(five['prompt'] > four['prompt'] + four['n_ids'], 'after resuming: the prompt holds the whole conversation', five['prompt'])
    t.ok(five['system'] == SYSTEM, 'after resuming: the system prompt is the changed one')
    check_turn(t, QUESTIONS[5], ('complete', 'length'), five, 'one turn more')
    roles = [m['role'] for m in t.messages() if m['status'] != 'failed']
    t.ok(roles[:2] == ['user', 'assistant'] and len(roles) >= 12, 'the database holds the whole conversation', roles)
    t.ok(not t.terminal.screen.unknown, 'the screen was drawn with nothing unknown', t.terminal.screen.unknown)
    if t.args.show:
        for line in t.terminal.screen.lines():
            print(f'# | {line}')
    t.leave()
    t.terminal = None
    print('# tokens a second, tokens: ' + json.dumps([
        [round(1000 * m['n_ids'] / m['total_ms']) if m['total_ms'] else None, m['n_ids']]
        for m in ({**m, 'n_ids': len(m['ids'] or b'') // 4} for m in t.messages()) if m['role'] == 'assistant']))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('kaiwa')
    parser.add_argument('model')
    parser.add_argument('--backend', default='cpu')
    parser.add_argument('--decoder')
    parser.add_argument('--threads', default='0')
    parser.add_argument('--reply-tokens', type=int, default=24)
    parser.add_argument('--patience', type=float, default=120)
    parser.add_argument('--show', action='store_true', help='the last screen, as comments')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        t = Test(args, home)
        try:
            run(t)
        finally:
            if t.terminal and not t.terminal.ended():
                t.terminal.close()
        t.end()


if __name__ == '__main__':
    main()
