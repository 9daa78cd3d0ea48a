#!/bin/sh
# Many questions in one run, as NDJSON: one answer a line, in the order of the questions; then a summary.
#
#     sh examples/batch.sh [OUT]
#
# OUT is answers.ndjson in the working folder unless you name another file. Stop the script and start it again with the
# same OUT: only the questions that it does not hold yet are asked.
set -eu
here=$(dirname -- "$0")
out=${1:-answers.ndjson}
questions=$here/saltmarsh-questions.jsonl

# Exit code 1: some questions have no answer in the documents, as intended.
code=0
lcrag ask "$here/saltmarsh" --questions "$questions" --resume "$out" >> "$out" || code=$?
test "$code" -le 1 || exit "$code"

python3 - "$questions" "$out" << 'SUMMARY'
import json
import sys
from collections import Counter


def rows(path):
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            try:
                yield json.loads(line)
            except ValueError:
                continue  # cut off when an earlier run was stopped; the question was asked again


def words(text):
    return " ".join(text.split()).casefold()


asked = {row["id"]: row for row in rows(sys.argv[1])}
answers = {row["id"]: row for row in rows(sys.argv[2]) if row["schema"] == "lcrag.answer/1"}
statuses = Counter(row["status"] for row in answers.values())
print(f"{len(answers)} of {len(asked)} questions:", ", ".join(f"{n} {status}" for status, n in statuses.most_common()))

done = [row for row in asked.values() if row["id"] in answers]
verbatim = [row for row in done if row["answer_verbatim"]]
exact = sum(any(words(a) in words(answers[row["id"]]["answer"]) for a in row["answers"]) for row in verbatim)
print(f"the answer holds the gold answer word for word in {exact} of {len(verbatim)} where it can")

absent = [row for row in done if row["unanswerable"]]
refused = sum(answers[row["id"]]["status"] not in ("answered", "contradictory") for row in absent)
print(f"refused {refused} of {len(absent)} that have no answer")

read = [row["read"]["tokens"] for row in answers.values()]
print(f"tokens read of {max(row['read']['of'] for row in answers.values()):,}: {sum(read) / len(read):,.0f} on average")
SUMMARY
