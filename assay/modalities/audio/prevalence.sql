-- What many sounds of a dataset have in common, and is therefore no issue of a single one: the share of the samples beyond
-- the limit of issues.sql, where that is more than a quarter.
with facts as (
    select
        samples.sample_id,
        any_value(facts.silence) as silence,
        any_value(facts.clipped) as clipped,
        any_value(facts.snr_db) as snr_db,
        any_value(facts.bandwidth) as bandwidth,
        any_value(facts.dropouts) as dropouts,
        any_value(greatest(facts.starts_abruptly, facts.ends_abruptly)) as edge,
        any_value(facts.dc_offset) as dc_offset,
        any_value(facts.channel_correlation) as channel_correlation
    from samples
    inner join audio_facts as facts on facts.content_hash = samples.content_hash
    group by samples.sample_id
),

counted as (
    select 'prevalent:clipped' as metric, 'are cut off at their ceiling' as words, sum((clipped >= 0.001)::int) as n
    from facts
    union all
    select 'prevalent:silent', 'are silent', sum((silence >= 0.95)::int) from facts
    union all
    select 'prevalent:noisy', 'hardly stand out from their noise', sum((silence < 0.95 and snr_db <= 10)::int) from facts
    union all
    select 'prevalent:muffled', 'use a small part of the range of their rate',
        sum((silence < 0.95 and bandwidth <= 0.35)::int)
    from facts
    union all
    select 'prevalent:dropouts', 'stand still in the middle', sum((dropouts >= 0.002)::int) from facts
    union all
    select 'prevalent:cut_off', 'begin or end in the middle of sound', sum((edge >= 0.5)::int) from facts
    union all
    select 'prevalent:dc_offset', 'have a mean that is not zero', sum((dc_offset >= 0.01)::int) from facts
    union all
    select 'prevalent:channel_fault', 'have two channels that are copies, or cancel each other',
        sum((channel_correlation >= 0.9999 or channel_correlation <= -0.95)::int)
    from facts
)

select
    metric,
    n / (select count(*) from facts)::double as value,
    n || ' of ' || (select count(*) from facts) || ' recordings ' || words
    || '; that is how this dataset is, and not held against single ones' as note
from counted
where n > 0.25 * (select count(*) from facts)
order by metric
