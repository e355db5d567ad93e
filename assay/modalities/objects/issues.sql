-- Issues of single boxes: tiny_box, cut_by_frame, odd_box_shape, odd_box_size, same_box, other_class, damaged.
--
-- With u = measure ÷ limit, or limit ÷ measure, such that u grows with the trouble and is 1 at the limit:
-- score = 1 − 0.5 / u from the limit on, 0.5 · u below it.
--
-- tiny_box       side of a square of the box's area, in pixels, little is bad; limit 8
-- cut_by_frame   share of the box that lies outside of the picture; limit 0.05
-- odd_box_shape  logarithm of width ÷ height, from the median of its class, in spreads of the class; limit 5
-- odd_box_size   logarithm of the share of the picture that it covers, the same way; limit 5
-- same_box       the largest overlap (intersection ÷ union) with another box of its class in the picture; limit 0.9
-- other_class    the largest overlap with a box of another class; limit 0.95
-- damaged        share of its picture that the file has lost
--
-- A spread is 1.4826 times the median absolute deviation, of 10 boxes at least, and at least 0.2 (shape) or 0.4 (size).
-- tiny_box fades out where more than a quarter of the boxes are beyond its limit, from half on to nothing. Overlaps are
-- measured in pictures of up to 3,000 boxes; in larger ones equal boxes are found as copies.
with facts as (
    select
        samples.sample_id,
        samples.label,
        -- the file, up to the fragment: two copies of a picture are boxed each by themselves
        coalesce(regexp_replace(samples.uri, '#xywh=[^#]*$', ''), facts.image_hash) as picture,
        facts.x,
        facts.y,
        facts.box_width,
        facts.box_height,
        facts.outside,
        facts.damage,
        sqrt(facts.box_width * facts.box_height) as side_pixels,
        ln(facts.box_width / facts.box_height) as shape,
        ln(facts.box_width * facts.box_height / (facts.image_width::double * facts.image_height)) as size,
        count(*) over (partition by picture) as boxes_beside
    from samples
    inner join object_facts as facts on facts.content_hash = samples.content_hash
    where facts.box_width > 0 and facts.box_height > 0
),

distinct_facts as (
    select distinct on (sample_id) * from facts order by sample_id
),

classes as (
    select
        label,
        count(*) as n,
        median(shape) as shape,
        greatest(1.4826 * mad(shape), 0.2) as shape_spread,
        median(size) as size,
        greatest(1.4826 * mad(size), 0.4) as size_spread
    from distinct_facts
    where label is not null
    group by label
),

pairs as (
    select
        one.sample_id,
        other.label is not distinct from one.label as is_same_class,
        greatest(
            least(one.x + one.box_width, other.x + other.box_width) - greatest(one.x, other.x), 0.0
        ) * greatest(
            least(one.y + one.box_height, other.y + other.box_height) - greatest(one.y, other.y), 0.0
        ) as shared,
        one.box_width * one.box_height + other.box_width * other.box_height as areas
    from distinct_facts as one
    inner join distinct_facts as other
        on other.picture = one.picture and other.sample_id <> one.sample_id
        and other.x < one.x + one.box_width and one.x < other.x + other.box_width
    where one.boxes_beside <= 3000
),

closest as (
    select
        sample_id,
        max(shared / (areas - shared)) filter (where is_same_class) as same_class,
        max(shared / (areas - shared)) filter (where not is_same_class) as other_class
    from pairs
    group by sample_id
),

tiny as (
    select least(greatest((0.5 - avg((side_pixels <= 8.0)::int)) / 0.25, 0.0), 1.0) as weight from distinct_facts
),

measured as (
    select
        facts.sample_id, 'tiny_box' as metric, facts.side_pixels as value,
        8.0 / greatest(facts.side_pixels, 0.001) as ratio, tiny.weight
    from distinct_facts as facts
    cross join tiny
    union all
    select sample_id, 'cut_by_frame', outside, outside / 0.05, 1.0 from distinct_facts
    union all
    select
        facts.sample_id, 'odd_box_shape', exp(facts.shape),
        abs(facts.shape - classes.shape) / classes.shape_spread / 5.0, 1.0
    from distinct_facts as facts
    inner join classes on classes.label = facts.label and classes.n >= 10
    union all
    select
        facts.sample_id, 'odd_box_size', exp(facts.size), abs(facts.size - classes.size) / classes.size_spread / 5.0, 1.0
    from distinct_facts as facts
    inner join classes on classes.label = facts.label and classes.n >= 10
    union all
    select facts.sample_id, 'same_box', coalesce(closest.same_class, 0.0), coalesce(closest.same_class, 0.0) / 0.9, 1.0
    from distinct_facts as facts
    left join closest on closest.sample_id = facts.sample_id
    union all
    select
        facts.sample_id, 'other_class', coalesce(closest.other_class, 0.0), coalesce(closest.other_class, 0.0) / 0.95, 1.0
    from distinct_facts as facts
    left join closest on closest.sample_id = facts.sample_id
    union all
    select sample_id, 'damaged', damage, case when damage > 0.0 then 1.0 + damage else 0.0 end, 1.0 from distinct_facts
)

select
    sample_id,
    metric,
    weight * case when ratio <= 1.0 then 0.5 * greatest(ratio, 0.0) else 1.0 - 0.5 / ratio end as score,
    value
from measured
order by metric, sample_id
