"""What the stub provider answers."""

from benchmarks.stub_answers import CHAOS, Behaviour, read_passages


def test_a_mix_of_faults_is_drawn_by_its_seed() -> None:
    """The same again for the same seed, another for another; about as many as asked for, and each of them at some time."""
    drawn = [Behaviour(seed=1, share=0.3).draw_fault(number) for number in range(1_000)]
    assert drawn == [Behaviour(seed=1, share=0.3).draw_fault(number) for number in range(1_000)]
    assert drawn != [Behaviour(seed=2, share=0.3).draw_fault(number) for number in range(1_000)]
    assert 200 < sum(map(bool, drawn)) < 400
    assert set(drawn) == {"", *CHAOS}


PROMPT = [
    {"role": "system", "content": "Rules. If not, write this one sentence, and no citation:\nIt is not there.\n- Be brief."},
    {
        "role": "user",
        "content": '<passages>\n<passage n="2" title="T">\nA holds=B\nB costs 3\n</passage>\n</passages>\n\n<question>?</question>',
    },
]


def test_a_model_that_reads_repeats_a_line_or_the_sentence_it_was_asked_for() -> None:
    assert read_passages({"messages": PROMPT}, "B") == "B costs 3 [2]"
    assert read_passages({"messages": PROMPT}, "C") == "It is not there."
