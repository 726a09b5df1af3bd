"""Asks DuckDB or PostgreSQL what the crate answers, for the random cases of `cases`.

    cargo run --bin cases -- duck_db 1000 | python engines.py duck_db
    cargo run --bin cases -- postgres 1000 | python engines.py postgres 'host=/tmp dbname=test'
"""

import json
import sys


class DuckDb:
    def __init__(self, _):
        import duckdb

        self.connect = duckdb.connect
        self.place = "?"

    def fresh(self):
        self.db = self.connect()

    def run(self, text):
        self.db.execute(text)

    def insert(self, table, places, row):
        self.db.execute(f"INSERT INTO {table} VALUES ({places})", row)

    def rows(self, text):
        return self.db.execute(text).fetchall()


class Postgres:
    def __init__(self, where):
        import psycopg

        self.db = psycopg.connect(where, autocommit=True)
        self.place = "%s"

    def fresh(self):
        self.db.execute("DROP SCHEMA IF EXISTS cases CASCADE")
        self.db.execute("CREATE SCHEMA cases")
        self.db.execute("SET search_path = cases")
        self.db.execute(
            "CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
        )

    def run(self, text):
        self.db.execute(text)

    def insert(self, table, places, row):
        table = table.replace("%", "%%")
        self.db.execute(f"INSERT INTO {table} VALUES ({places})", row)

    def rows(self, text):
        return self.db.execute(text).fetchall()


def main():
    engine = {"duck_db": DuckDb, "postgres": Postgres}[sys.argv[1]]
    engine = engine(sys.argv[2] if len(sys.argv) > 2 else "")
    n, answers = 0, {True: 0, None: 0, False: 0}
    for line in sys.stdin:
        case = json.loads(line)
        engine.fresh()
        for table in case["tables"]:
            engine.run(table["create"])
            places = ", ".join(f"CAST({engine.place} AS {kind})" for kind in table["types"])
            for row in table["rows"]:
                engine.insert(table["name"], places, row)
        expected = {
            (customer, segment): truth
            for customer, truths in zip(case["customers"], case["truths"])
            for segment, truth in zip(case["segments"], truths)
        }
        found = {(id, segment): truth for id, segment, truth in engine.rows(case["membership"])}
        if found != expected:
            wrong = {key: (found.get(key), truth) for key, truth in expected.items() if found.get(key) != truth}
            sys.exit(f"{wrong} (found, expected) in\n{case['membership']}\n{case['tables']}")
        assigned = dict(zip(case["customers"], case["assigned"]))
        if dict(engine.rows(case["assignment"])) != assigned:
            sys.exit(f"{engine.rows(case['assignment'])}, not {assigned} in\n{case['assignment']}\n{case['tables']}")
        counts = [
            (segment, *(sum(expected[id, segment] is truth for id in case["customers"]) for truth in (True, None, False)))
            for segment in case["segments"]
        ]
        if engine.rows(case["counts"]) != counts:
            sys.exit(f"{engine.rows(case['counts'])}, not {counts} in\n{case['counts']}")
        for segment, text in zip(case["segments"], case["expressions"]):
            row = [truth for (truth,) in engine.rows(text)]
            if row != [expected[id, segment] for id in case["customers"]]:
                sys.exit(f"{row} in\n{text}\n{case['tables']}")
        n += 1
        for truth in expected.values():
            answers[truth] += 1
    print(f"{n} cases agree: {answers[True]} true, {answers[None]} unknown, {answers[False]} false")


main()
