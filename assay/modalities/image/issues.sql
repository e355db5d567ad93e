-- Issues of single images: damaged, dark, bright, blurry, low_information, odd_aspect, odd_size, grayscale.
--
-- Each measure becomes a score by one rule. With u = measure ÷ limit, or limit ÷ measure, such that u grows with the
-- trouble and is 1 at the limit: score = 1 − 0.5 / u from the limit on, 0.5 · u below it (dark and bright, whose
-- measures end at 0 and 1, are linear on both sides). So 0.5 is at the limit, and 1 is never passed.
--
-- Limits are absolute, for dark, bright and blurry those of CleanVision. What most of a dataset is like is no issue of a
-- sample: blurry and low_information lower their limit to a part of the dataset's median (scaled-up digits), odd_size
-- measures from the median, odd_aspect too where the median is itself long or tall; and dark, bright, odd_aspect and
-- grayscale fade out where more than a quarter of the samples are beyond the limit, from half on to nothing
-- (prevalence.sql says so once).
--
-- damaged: 0 where nothing is lost, else half and more by the share that is.
with facts as (
    select
        samples.sample_id,
        any_value(facts.damage) as damage,
        any_value(facts.brightness_p05) as brightness_p05,
        any_value(facts.brightness_p99) as brightness_p99,
        any_value(facts.contrast) as contrast,
        any_value(facts.entropy_bits) as entropy_bits,
        any_value(facts.colorfulness) as colorfulness,
        -- edges for the contrast there is; where there is hardly any, 0.2, which is sharp: a flat image is not blurry
        any_value((facts.sharpness + 0.8) / (power(facts.contrast * 127.5, 2) + 4.0)) as pixel_edges,
        -- sharpness is measured at no more than 128 pixels
        any_value(least(greatest(facts.width, facts.height), 128)) as working_pixels,
        any_value(greatest(facts.width, facts.height) / least(facts.width, facts.height)::double) as aspect,
        any_value(ln(facts.width / facts.height::double)) as log_aspect,
        any_value(sqrt(facts.width::double * facts.height)) as side_pixels
    from samples
    inner join image_facts as facts on facts.content_hash = samples.content_hash
    group by samples.sample_id
),

-- the same picture enlarged has softer edges per pixel, and is no blurrier: count them at the dataset's usual size
sized as (
    select
        *,
        pixel_edges * power(greatest(working_pixels / (select median(working_pixels) from facts), 1.0), 2) as edges
    from facts
),

dataset as (
    select
        coalesce(median(edges), 0.0) as median_edges,
        coalesce(median(entropy_bits), 0.0) as median_entropy_bits,
        median(side_pixels) as median_side_pixels,
        median(log_aspect) as median_log_aspect
    from sized
),

limits as (
    select
        0.32 as dark,
        0.95 as bright,
        least(0.08, 0.25 * median_edges) as edges,
        least(3.0, 0.5 * median_entropy_bits) as entropy_bits,
        0.2 as contrast,
        1.0 / 0.35 as aspect,
        10.0 as size_factor,
        0.01 as colorfulness,
        median_side_pixels,
        median_log_aspect
    from dataset
),

-- where most of a dataset is long or tall itself, what counts is how far an aspect is from theirs
framed as (
    select
        sized.*,
        case
            when exp(abs(median_log_aspect)) >= 0.7 * limits.aspect
                then least(sized.aspect, exp(abs(sized.log_aspect - median_log_aspect)))
            else sized.aspect
        end as odd_aspect
    from sized
    cross join limits
),

shares as (
    select
        avg((brightness_p99 <= dark)::int) as dark_share,
        avg((brightness_p05 >= bright)::int) as bright_share,
        avg((facts.odd_aspect >= limits.aspect)::int) as aspect_share,
        avg((facts.colorfulness < limits.colorfulness)::int) as gray_share
    from framed as facts
    cross join limits
),

weights as (
    select
        least(greatest((0.5 - dark_share) / 0.25, 0.0), 1.0) as dark_weight,
        least(greatest((0.5 - bright_share) / 0.25, 0.0), 1.0) as bright_weight,
        least(greatest((0.5 - aspect_share) / 0.25, 0.0), 1.0) as aspect_weight,
        least(greatest((0.5 - gray_share) / 0.25, 0.0), 1.0) as gray_weight
    from shares
),

ratios as (
    select
        facts.*,
        limits.*,
        weights.*,
        case when facts.edges is not null then limits.edges / greatest(facts.edges, 1e-9) end as blur_ratio,
        1.0 / greatest(
            facts.entropy_bits / greatest(limits.entropy_bits, 1e-9), facts.contrast / limits.contrast, 1e-9
        ) as flat_ratio,
        facts.odd_aspect / limits.aspect as aspect_ratio,
        greatest(facts.side_pixels / median_side_pixels, median_side_pixels / facts.side_pixels)
        / limits.size_factor as size_ratio,
        limits.colorfulness / greatest(facts.colorfulness, 1e-9) as gray_ratio
    from framed as facts
    cross join limits
    cross join weights
),

scored as (
    select
        sample_id,
        'damaged' as metric,
        case when damage > 0 then 0.5 + 0.5 * damage else 0.0 end as score,
        damage as value
    from ratios
    union all
    select
        sample_id,
        'dark',
        dark_weight * case
            when brightness_p99 <= dark then 1.0 - 0.5 * brightness_p99 / dark
            else 0.5 * (1.0 - brightness_p99) / (1.0 - dark)
        end,
        brightness_p99
    from ratios
    union all
    select
        sample_id,
        'bright',
        bright_weight * case
            when brightness_p05 >= bright then 0.5 + 0.5 * (brightness_p05 - bright) / (1.0 - bright)
            else 0.5 * brightness_p05 / bright
        end,
        brightness_p05
    from ratios
    union all
    select sample_id, 'blurry', case when blur_ratio >= 1 then 1 - 0.5 / blur_ratio else 0.5 * blur_ratio end, edges
    from ratios
    union all
    select
        sample_id,
        'low_information',
        case when flat_ratio >= 1 then 1 - 0.5 / flat_ratio else 0.5 * flat_ratio end,
        entropy_bits
    from ratios
    union all
    select
        sample_id,
        'odd_aspect',
        aspect_weight * case when aspect_ratio >= 1 then 1 - 0.5 / aspect_ratio else 0.5 * aspect_ratio end,
        aspect
    from ratios
    union all
    select
        sample_id,
        'odd_size',
        case when size_ratio >= 1 then 1 - 0.5 / size_ratio else 0.5 * size_ratio end,
        side_pixels
    from ratios
    union all
    select
        sample_id,
        'grayscale',
        gray_weight * case when gray_ratio >= 1 then 1 - 0.5 / gray_ratio else 0.5 * gray_ratio end,
        colorfulness
    from ratios
)

select
    sample_id,
    metric,
    least(greatest(coalesce(score, 0.0), 0.0), 1.0) as score,
    value
from scored
order by sample_id, metric
