"""What a segment read, as it was when it started, and what of it is new, changed or gone since it was done.

The runner remembers it in one file per pipeline, `inputs.jsonl` among the records:

    ledger = Ledger.read(records_root(...), pipeline.parent)     ledger.py
    before = see(use, ledger)              when a segment starts; see.py, as the next three
    remember(ledger, before)               when it succeeded, or was accepted as done
    settle(ledger, hashes)                 at the end of a run: the hashes of what it ran
    adopt(ledger, use)                     in a real run: a segment that is done, and of which nothing is known
    why_again(ledger, order, use, look)    for the plan: "" or the reason to run a done segment; news.py
    news(ledger, order, look)              where there is nothing to run: sentences with `--from N`
    ledger.compact(hashes)                 at the end of a run: those of the pipeline

`use` (a `Use`) holds plain values; `order` are (number, content hash) of the normal segments, as in the file; one
`Look()` for all segments of a plan looks at each place once.
"""
