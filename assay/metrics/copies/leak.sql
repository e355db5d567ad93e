-- A sample with a duplicate in another split; the score is the greatest similarity to one.
with

both_ways as (
    select sample_id, similarity from leaks
    union all
    select other_id as sample_id, similarity from leaks
)

select sample_id, 'leak' as metric, max(similarity) as score, max(similarity) as value, true as is_issue
from both_ways
group by sample_id
order by sample_id
