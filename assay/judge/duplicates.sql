-- The groups of copies, with what people decided: a copy that somebody keeps is none to be left out.
select group_id, sample_id, tier, keep or sample_id in (select sample_id from kept) as keep, similarity
from copies
order by group_id, sample_id <> group_id, sample_id
