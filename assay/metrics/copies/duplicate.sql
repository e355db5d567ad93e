-- A sample that is not the kept one of its duplicate group; the score is its similarity to the kept one.
select sample_id, 'duplicate' as metric, similarity as score, similarity as value, true as is_issue
from copies
where not keep
order by sample_id
