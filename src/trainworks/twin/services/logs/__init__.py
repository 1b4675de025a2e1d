"""CloudWatch Logs: groups, streams and events, all of them on disk alone.

    handlers (groups, streams, events, filters, policies, queries)     one module per kind of operation, in `service`
        request   names and ARNs, validated and authorized
        patterns  filter patterns                insights   queries
    store         groups, streams and what belongs to them: rows of `logs.db`
    blocks        events: a row per batch, indexed by stream and time; `append` writes, `reading` reads page by page
    derive        metric filters and subscription filters, behind the append, from a table
    sweep         retention, and what deleted groups and streams leave

Everybody inside the twin writes through `ports.Logs`, which `LogsService` is.
"""
