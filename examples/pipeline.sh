#!/bin/sh
# lcrag in a shell pipeline: exit codes as grep has them, JSON for the next program, standard input, a loop.
#
#     sh examples/pipeline.sh
#
# It asks the small corpus in examples/saltmarsh and needs no model, no server, no network.
set -eu
here=$(dirname -- "$0")
docs=$here/saltmarsh

echo "1. Like grep: the exit code says whether the documents hold an answer."
code=0
lcrag ask "$docs" "Who gave the money for the first lifeboat?" --quiet --no-sources || code=$?
case $code in
    0) echo "   answered (exit code 0)" ;;
    1) echo "   not in the documents (exit code 1)" ;;
    *) exit "$code" ;;
esac

echo
echo "2. JSON into another program: the sources of an answer, one a line."
lcrag ask "$docs" "How much does it cost to restore Wend Mill to working order?" --json --quiet |
    python3 -c '
import json, sys
answer = json.load(sys.stdin)
for citation in answer["citations"]:
    place = citation["page"] or citation["line"]
    print(citation["source"], place, citation["quote"], sep="\t")
'

echo
echo "3. A document from standard input."
sed -n '/^AUGUST/,/^SEPTEMBER/p' "$docs/harbour-log-2023.txt" |
    lcrag ask - "Which ship arrived with thirty-two trainees?" --quiet

echo
echo "4. A question from standard input; standard error shows the plan, and why this much is read."
echo "Which sluice is jammed, and since when?" | lcrag ask "$docs" - --explain --quiet

echo
echo "5. A loop over questions. A question without an answer is no error: the loop continues."
printf '%s\n' "What is the highest ground on the island?" "Which enzyme breaks down lactose in yoghurt?" |
    while IFS= read -r question; do
        code=0
        answer=$(lcrag ask "$docs" "$question" --quiet --no-sources) || code=$?
        case $code in
            0) printf '%s\n   %s\n' "$question" "$answer" ;;
            1) printf '%s\n   (the documents do not say)\n' "$question" ;;
            *) echo "lcrag failed with exit code $code" >&2; exit "$code" ;;
        esac
    done
