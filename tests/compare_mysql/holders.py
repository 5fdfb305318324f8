#!/usr/bin/python3
"""Which clients hold a connection of gilmok's pool: gilmok's console says it."""

MOMENTS = ("", "last answer", "probe", "request")  # what ends by itself, or when others wait


class Console:
    """One connection to the console, for as long as scripts are played."""

    def __init__(self, gilmok):
        self.gilmok, self.connection = gilmok, None

    def reasons(self):
        """By the port of a client: why it keeps its connection."""
        if not self.connection:
            self.connection = self.gilmok.login(user="boss", password=self.gilmok.users["boss"], database="gilmok")
        got = self.connection.query("SHOW CLIENTS")
        at = [got.names.index(name) for name in ("port", "held_by")]
        return {int(row[at[0]]): row[at[1]] for row in got.rows if row[at[1]] not in MOMENTS}

    def close(self):
        if self.connection:
            self.connection.end()


def holders(console, clients):
    """The numbers of those who hold one."""
    reasons = console.reasons()
    return {i for i, c in enumerate(clients) if c.sock.getsockname()[1] in reasons}
