-- What many videos of a dataset have in common, and is therefore no issue of a single one: the share of the samples beyond
-- the limit of issues.sql, where that is more than a quarter.
with facts as (
    select
        samples.sample_id,
        any_value(facts.black) as black,
        any_value(facts.static) as static,
        any_value(facts.frozen) as frozen,
        any_value(facts.gaps) as gaps,
        any_value(facts.jumps) as jumps,
        any_value(facts.letterbox) as letterbox,
        any_value(facts.silence) as silence,
        any_value(facts.has_sound) as has_sound
    from samples
    inner join video_facts as facts on facts.content_hash = samples.content_hash
    group by samples.sample_id
),

counted as (
    select 'prevalent:black' as metric, 'are black for a quarter of their frames or more' as words,
        sum((black >= 0.25)::int) as n
    from facts
    union all
    select 'prevalent:motionless', 'hardly ever move', sum((static >= 0.95)::int) from facts
    union all
    select 'prevalent:frozen', 'stand for a tenth of their time or more', sum((frozen >= 0.1)::int) from facts
    union all
    select 'prevalent:time_gaps', 'have gaps between their frames', sum((gaps >= 0.05)::int) from facts
    union all
    select 'prevalent:time_jumps', 'have frames out of order in time', sum((jumps >= 0.01)::int) from facts
    union all
    select 'prevalent:letterboxed', 'have black bars', sum((letterbox >= 0.06)::int) from facts
    union all
    select 'prevalent:silent', 'have sound in which nothing is heard', sum((coalesce(silence, 0.0) >= 0.95)::int)
    from facts
    union all
    select 'prevalent:no_sound', 'have no sound', sum((not has_sound)::int) from facts
)

select
    metric,
    n / (select count(*) from facts)::double as value,
    n || ' of ' || (select count(*) from facts) || ' videos ' || words
    || '; that is how this dataset is, and not held against single ones' as note
from counted
where n > 0.25 * (select count(*) from facts)
order by metric
