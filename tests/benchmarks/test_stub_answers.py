"""What the stub provider answers."""

from benchmarks.stub_answers import CHAOS, Behaviour


def test_a_mix_of_faults_is_drawn_by_its_seed() -> None:
    """The same again for the same seed, another for another; about as many as asked for, and each of them at some time."""
    drawn = [Behaviour(seed=1, share=0.3).draw_fault(number) for number in range(1_000)]
    assert drawn == [Behaviour(seed=1, share=0.3).draw_fault(number) for number in range(1_000)]
    assert drawn != [Behaviour(seed=2, share=0.3).draw_fault(number) for number in range(1_000)]
    assert 200 < sum(map(bool, drawn)) < 400
    assert set(drawn) == {"", *CHAOS}
