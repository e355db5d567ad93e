-- Issues of single texts: near_empty, boilerplate, repetitive, shouting, garbled, damaged, other_language, rare_words.
--
-- Scores are linear on both sides of a fixed limit, which scores 0.5.
-- near_empty       letters, digits and emoji left after cleaning; limit 4
-- boilerplate      share of the text in lines or sentences that stand in many different texts; limit 0.5
-- repetitive       share of runs of three words that were said before; limit 0.3
-- shouting         share of capitals, of texts of 10 letters or more; limit 0.7
-- garbled          share of symbols in what is not punctuation-free anyway, emoji not among them; limit 0.4. At least 0.75 where a wrong
--                  decoding was undone or characters are lost
-- damaged          share of the characters that reading had to mend or that are lost; any is an issue, 0.5 and up
-- other_language   probability of a language that is not the dataset's main one; limit 0.8 (short texts are often
--                  mistaken below); 0 where no language has half of the texts
-- rare_words       share of its different words that at most 2 other texts have; limit 0.5, more where half of the texts
--                  have more than 0.2. Of texts with 5 words or more, in datasets of 100 texts or more; scripts that do
--                  not part words are not judged
with facts as (
    select
        samples.sample_id,
        any_value(facts.content_hash) as content_hash,
        any_value(facts.normalized_hash) as normalized_hash,
        any_value(facts.clean_text) as clean_text,
        any_value(length(regexp_replace(facts.clean_text, '[^\p{L}\p{M}\p{N}\x{1F000}-\x{1FAFF}]', '', 'g'))) as n_solid,
        any_value(facts.repetition) as repetition,
        any_value(facts.uppercase) as uppercase,
        any_value(
            facts.symbols
            * length(regexp_replace(facts.text, '[\p{L}\p{M}\p{N}\p{Cf}\s\x{1F000}-\x{1FAFF}\x{2600}-\x{27BF}]', '', 'g'))
            / greatest(length(regexp_replace(facts.text, '[\p{L}\p{M}\p{N}\p{Cf}\s]', '', 'g')), 1)
        ) as symbols,
        any_value(
            list_contains(facts.changes, 'mojibake') or list_contains(facts.changes, 'replacement_character')
        ) as is_misdecoded,
        any_value(facts.damaged) as damaged,
        any_value(facts.language) as language,
        any_value(facts.language_confidence) as language_confidence
    from samples
    inner join text_facts as facts on facts.content_hash = samples.content_hash
    group by samples.sample_id
),

-- one text of each normalised form, so that duplicates do not make boilerplate of each other
distinct_texts as (
    select normalized_hash, any_value(clean_text order by content_hash) as clean_text
    from facts
    group by normalized_hash
),

-- Thai, Lao, Khmer and Burmese part sentences by a blank
parted as (
    select
        normalized_hash,
        length(clean_text) as n_characters,
        regexp_replace(
            clean_text, '([\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]) ', '\1' || chr(10), 'g'
        ) as sentences
    from distinct_texts
),

pieces as (
    select
        normalized_hash,
        n_characters,
        unnest(regexp_extract_all(sentences, '[^\n.!?。！？।॥။។؟۔]+[\n.!?。！？।॥။។؟۔]*')) as piece
    from parted
),

-- numbers differ between copies of one template
keyed as (
    select
        normalized_hash,
        n_characters,
        length(piece) as n_piece,
        regexp_replace(lower(trim(piece, E' \t\n.!?。！？।॥။។؟۔')), '[0-9]+', '0', 'g') as template
    from pieces
),

spread as (
    select template, count(distinct normalized_hash) as n_texts
    from keyed
    -- a character of a script without letters is about half a word
    where length(template) + 2 * length(regexp_replace(template, '[^\p{Han}\p{Hiragana}\p{Katakana}]', '', 'g')) >= 25
    group by template
),

templates as (
    select template
    from spread
    where n_texts >= (select greatest(5, 0.002 * count(*)) from distinct_texts)
),

boilerplate as (
    select
        normalized_hash,
        sum(case when templates.template is not null then n_piece else 0 end)
        / max(n_characters)::double as share
    from keyed
    left join templates on templates.template = keyed.template
    group by normalized_hash
),

languages as (
    select language, count(*) as n
    from facts
    where language_confidence >= 0.8
    group by language
),

main_language as (
    select language
    from languages
    where n > 0.5 * (select sum(n) from languages)
),

words as (
    select distinct normalized_hash, unnest(regexp_extract_all(lower(clean_text), '[\p{L}\p{M}][\p{L}\p{M}\p{N}]*')) as word
    from distinct_texts
    where (select count(*) from distinct_texts) >= 100
),

parted_words as (
    select normalized_hash, word
    from words
    where not regexp_matches(word, '[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]')
),

known_words as (
    select word
    from parted_words
    group by word
    having count(*) > 3
),

rarity as (
    select parted_words.normalized_hash, avg((known_words.word is null)::int) as share
    from parted_words
    left join known_words on known_words.word = parted_words.word
    group by parted_words.normalized_hash
    having count(*) >= 5
),

usual_rarity as (
    select least(greatest(median(share) + 0.3, 0.5), 0.99) as bound
    from rarity
),

measured as (
    select
        facts.*,
        rarity.share as rare_words,
        usual_rarity.bound as rare_bound,
        coalesce(boilerplate.share, 0.0) as boilerplate_share,
        case
            when facts.language != main_language.language then facts.language_confidence
            when facts.language is not null and main_language.language is not null then 0.0
        end as foreign_confidence
    from facts
    left join boilerplate on boilerplate.normalized_hash = facts.normalized_hash
    left join rarity on rarity.normalized_hash = facts.normalized_hash
    cross join usual_rarity
    left join main_language on true
),

limited as (
    select sample_id, 'near_empty' as metric, 1.0 / (1.0 + n_solid / 4.0) as badness, 0.5 as bound, n_solid::double as value
    from measured
    union all
    select sample_id, 'boilerplate', boilerplate_share, 0.5, boilerplate_share
    from measured
    union all
    select sample_id, 'repetitive', repetition, 0.3, repetition
    from measured
    union all
    select sample_id, 'shouting', case when n_solid >= 10 then uppercase end, 0.7, uppercase
    from measured
    union all
    select sample_id, 'garbled', greatest(symbols, case when is_misdecoded then 0.7 else 0.0 end), 0.4, symbols
    from measured
    union all
    select sample_id, 'damaged', case when damaged > 0.0 then 0.5 + 0.5 * damaged else 0.0 end, 0.5, damaged
    from measured
    union all
    select sample_id, 'other_language', foreign_confidence, 0.8, foreign_confidence
    from measured
    union all
    select sample_id, 'rare_words', rare_words, rare_bound, rare_words
    from measured
)

select
    sample_id,
    metric,
    least(greatest(coalesce(
        case
            when badness >= bound then 0.5 + 0.5 * (badness - bound) / (1.0 - bound)
            else 0.5 * badness / bound
        end,
        0.0
    ), 0.0), 1.0) as score,
    value
from limited
order by sample_id, metric
