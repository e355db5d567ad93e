-- The samples worth training on, as decided: no copies but those that somebody keeps, nothing that somebody dropped,
-- accepted labels in the place of the given ones.
with accepted as (
    select sample_id, value from decisions where kind = 'accept_label'
)
select samples.* replace (coalesce(accepted.value, samples.label) as label)
from samples
left join accepted on accepted.sample_id = samples.sample_id
where samples.sample_id not in (select sample_id from decisions where kind = 'drop')
    and (
        samples.sample_id not in (select sample_id from duplicates where not keep)
        or samples.sample_id in (select sample_id from decisions where kind = 'keep')
    )
order by samples.position
