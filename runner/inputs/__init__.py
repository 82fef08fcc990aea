"""What a segment read, as it was when it started, and what of it is new, changed or gone since it was done.

The runner remembers it in one file per pipeline, `inputs.jsonl` among the records:

    ledger = Ledger.read(records_root(...), pipeline.parent)
    before = see(use, ledger)              when a segment starts
    remember(ledger, before)               when it succeeded
    settle(ledger, hashes)                 at the end of a run: the hashes of what it ran
    why_again(ledger, order, use)          for the plan: "" or the reason to run a segment that counts as done
    news(ledger, order)                    where there is nothing to run: sentences with `--from N`

`use` (a `Use`) holds plain values; `order` are (number, content hash) of the normal segments, as in the file.
"""
