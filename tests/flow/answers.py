#!/usr/bin/python3
"""What a server answers to a text of SQL, so that two servers' answers can be compared."""

import psycopg


def one_answer(result, pg):
    """(status, rows in any order, or the SQLSTATE)"""
    status = psycopg.pq.ExecStatus(result.status)
    if status == psycopg.pq.ExecStatus.COPY_OUT:
        rows = []
        while True:
            size, data = pg.get_copy_data(0)
            if size <= 0:
                return "COPY", sorted(rows)
            rows.append(bytes(data))
    if status == psycopg.pq.ExecStatus.FATAL_ERROR:
        return "ERROR", result.error_field(psycopg.pq.DiagnosticField.SQLSTATE)
    columns = range(result.nfields)
    rows = [tuple(result.get_value(row, column) for column in columns) for row in range(result.ntuples)]
    return status.name, sorted(repr(row) for row in rows)


def answers(server, text):
    pg = server.pgconn
    pg.send_query(text.encode())
    found = []
    while (result := pg.get_result()) is not None:
        found.append(one_answer(result, pg))
    if pg.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        server.rollback()
    return found


def shape(found):
    """Without what differs from one moment to the next."""
    return [(status, rows if status == "ERROR" else len(rows)) for status, rows in found]


def is_clean(found):
    return all(status != "ERROR" for status, _ in found)
