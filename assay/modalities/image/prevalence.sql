-- What many images of a dataset have in common, and is therefore no issue of a single one: the share of the samples beyond
-- the limit of issues.sql, where that is more than a quarter; and the share whose pixels use a small part of their
-- depth and were spread to be seen, where there are any.
with facts as (
    select
        samples.sample_id,
        any_value(facts.brightness_p99) as brightness_p99,
        any_value(facts.brightness_p05) as brightness_p05,
        any_value(facts.colorfulness) as colorfulness,
        any_value(greatest(facts.width, facts.height) / least(facts.width, facts.height)::double) as aspect,
        any_value(list_contains(facts.changes, 'range_scaled')) as is_scaled
    from samples
    inner join image_facts as facts on facts.content_hash = samples.content_hash
    group by samples.sample_id
),

counted as (
    select 'prevalent:dark' as metric, 'are dark' as words, 0.25 as least, sum((brightness_p99 <= 0.32)::int) as n
    from facts
    union all
    select 'prevalent:bright', 'are bright', 0.25, sum((brightness_p05 >= 0.95)::int)
    from facts
    union all
    select 'prevalent:odd_aspect', 'are much longer one way than the other', 0.25, sum((aspect >= 1.0 / 0.35)::int)
    from facts
    union all
    select 'prevalent:grayscale', 'have no colour', 0.25, sum((colorfulness < 0.01)::int)
    from facts
    union all
    select
        'prevalent:narrow_range',
        'use less than a quarter of their depth, and were spread over their own range to be measured',
        0.0,
        sum(is_scaled::int)
    from facts
)

select
    metric,
    n / (select count(*) from facts)::double as value,
    n || ' of ' || (select count(*) from facts) || ' images ' || words
    || case when least > 0 then '; that is how this dataset is, and not held against single ones' else '' end as note
from counted
where n > least * (select count(*) from facts)
order by metric
