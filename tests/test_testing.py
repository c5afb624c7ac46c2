# mypy: allow-untyped-defs, allow-untyped-calls
"""The conformance suite: it passes good engines and finds every fault of sabotaged ones."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import sabotaged_engines as bad
from engine_contract import CASES, broken, report
from heat_engine import HeatEngine
from heliograph.engines.fake import FakeEngine
from heliograph.errors import EngineError, HeliographError, SceneError, UnknownNameError
from heliograph.passes import DEPTH, SEGMENTATION, select_passes, specs
from heliograph.testing import CHECKS, ContractError, Verdict, check_engine
from heliograph.view import View

SABOTAGES = [
    (bad.ReturnsItsOwnBuffer, "arrays_belong_to_the_caller"),
    (bad.ReadOnly, "arrays_belong_to_the_caller"),
    (bad.FlipsRows, "principal_point_moves_the_picture"),
    (bad.FlipsRows, "depth_is_along_the_axis"),
    (bad.FlipsRowsOfRgb, "principal_point_moves_the_picture"),
    (bad.MirrorsColumns, "principal_point_moves_the_picture"),
    (bad.MirrorsColumns, "depth_is_along_the_axis"),
    (bad.TurnsUpsideDown, "principal_point_moves_the_picture"),
    (bad.DepthIsRayLength, "depth_is_along_the_axis"),
    (bad.DepthIsOnePercentOff, "depth_is_in_metres"),
    (bad.DepthOfBackgroundIsZero, "background_is_empty"),
    (bad.DepthOfBackgroundIsFar, "background_is_empty"),
    (bad.NormalsInWorldAxes, "normals_belong_to_the_surface"),
    (bad.NormalsInWorldAxes, "normals_turn_with_the_camera"),
    (bad.NormalsInOpenCvAxes, "normals_face_the_camera"),
    (bad.NormalsAreNotUnit, "normals_are_unit"),
    (bad.LeaksState, "no_state_leaks"),
    (bad.LeaksEdits, "no_edit_leaks"),
    (bad.IgnoresState, "state_shows"),
    (bad.IgnoresEdits, "no_edit_leaks"),
    (bad.IgnoresEdits, "refuses_unknown_edits"),
    (bad.BlendsIds, "ids_have_labels"),
    (bad.BlendsIdsIntoKnownOnes, "pixels_are_sampled_at_their_centres"),
    (bad.ShiftsIdsOffLabels, "ids_have_labels"),
    (bad.IgnoresOut, "draws_into_given_buffers"),
    (bad.FillsOutInPart, "draws_into_given_buffers"),
    (bad.WrongDtype, "arrays_are_laid_out"),
    (bad.WrongCameraOnTheFrame, "frame_carries_its_camera"),
    (bad.Noisy, "same_view_same_bits"),
    (bad.DepthDependsOnPasses, "passes_do_not_depend_on_each_other"),
    (bad.SecondCameraDependsOnTheFirst, "cameras_do_not_depend_on_each_other"),
    (bad.OnePixelOff, "upside_down_is_turned"),
    (bad.HalfAPixelOff, "upside_down_is_turned"),
    (bad.HalfAPixelOff, "pixels_are_sampled_at_their_centres"),
    (bad.IgnoresThePrincipalPoint, "principal_point_moves_the_picture"),
    (bad.TakesPixelsForSquare, "pixels_are_sampled_at_their_centres"),
    (bad.IgnoresNearAndFar, "near_and_far_cut"),
    (bad.KnowsPerspectiveOnly, "orthographic_sees_the_same_world"),
    (bad.SwallowsUnknownState, "refuses_unknown_state"),
    (bad.LosesTheSeed, "sample_carries_the_order"),
    (bad.DrawsAfterClose, "closed_means_closed"),
    (bad.AnswersToAnEarlierView, "no_state_leaks"),
    (bad.MixesUpWhatIsInOneGo, "views_together_are_as_alone"),
    (bad.PassesAsSaidWrong, "describes_itself"),
    (bad.SaysItCanWhatItCannot, "describes_itself"),
    (bad.PassesAsSaidWrong, "arrays_are_laid_out"),
    (bad.SpecsUnderAnotherName, "describes_itself"),
    (bad.BoxesInsideOut, "objects_are_numbered_once"),
]
ALONE = [
    (bad.LeavesArraysAloneInOneGo, "views_together_are_as_alone"),
    (bad.MixesUpWhatIsInOneGo, "views_together_are_as_alone"),
    (bad.LastBitsDifferInOneGo, "views_together_are_as_alone"),
    (bad.OneErrorFailsAllInOneGo, "views_together_are_as_alone"),
    (bad.RaisesInOneGo, "views_together_are_as_alone"),
    (bad.TakesAllViewsAtOnce, "views_are_taken_one_by_one"),
    (bad.TakesArraysBeforeTheirView, "views_are_taken_one_by_one"),
    (bad.LastRefinementIsCoarse, "refinement_ends_with_the_picture"),
    (bad.RefinesAfterCancel, "refinement_ends_with_the_picture"),
    (bad.RefinesOnceMoreAfterCancel, "refinement_ends_with_the_picture"),
    (bad.RefinesNothing, "refinement_ends_with_the_picture"),
    (bad.RefinesWhatIsDrawnBetween, "refinements_share_nothing"),
    (bad.OldVersionsShowTheNewScene, "versions_stay"),
    (bad.SeedsDrawOfTheNewestScene, "versions_stay"),
    (bad.AdvancesInPart, "versions_stay"),
    (bad.CountsRefusedChanges, "versions_stay"),
    (bad.SamplesSayAnotherVersion, "versions_stay"),
    (bad.ChangesDoNotShow, "versions_stay"),
    (bad.DrawsVersionsThatNeverWere, "versions_stay"),
    (bad.KeepsItsHash, "versions_stay"),
    (bad.NumbersAnew, "versions_stay"),
    (bad.SwallowsChanges, "refuses_changes_it_cannot_make"),
    (bad.NoEngineName, "sample_says_who_drew_it"),
    (bad.SaysAnotherDevice, "sample_says_who_drew_it"),
    (bad.DoneBeforeBegun, "sample_says_who_drew_it"),
    (bad.IdsTwice, "objects_are_numbered_once"),
    (bad.LabelsAreNotTheTables, "objects_are_numbered_once"),
    (bad.ParentsAreNotThere, "objects_are_numbered_once"),
    (bad.ObjectsBelowThemselves, "objects_are_numbered_once"),
    (bad.BoxesAreTooSmall, "boxes_hold_what_is_seen"),
    (bad.BoxesStandElsewhere, "boxes_hold_what_is_seen"),
    (bad.RandomStatesOfItsOwn, "random_states_are_the_generator_s"),
    (bad.RandomStatesTheSame, "random_states_are_the_generator_s"),
    (bad.RandomStatesOthersThanDescribed, "random_states_are_the_generator_s"),
    (bad.RandomStatesNobodyKnows, "random_states_are_the_generator_s"),
]
"""Engines that break one promise, and no other."""

WITH_HEAT = [
    (bad.HeatIsWide, "arrays_are_laid_out"),
    (bad.HeatLacksAChannel, "arrays_are_laid_out"),
    (bad.HeatOfNothingIsZero, "nothing_holds_the_fill"),
]
ON_MUJOCO = (
    bad.ReturnsItsOwnBuffer,
    bad.FlipsRows,
    bad.MirrorsColumns,
    bad.DepthIsRayLength,
    bad.DepthIsOnePercentOff,
    bad.DepthOfBackgroundIsZero,
    bad.NormalsInWorldAxes,
    bad.LeaksState,
    bad.BlendsIdsIntoKnownOnes,
    bad.OnePixelOff,
    bad.HalfAPixelOff,
    bad.MixesUpWhatIsInOneGo,
    bad.PassesAsSaidWrong,
)


@pytest.mark.parametrize("name", CASES)
def test_engines_keep_their_promises(name):
    found = report(name)
    assert not found.of(Verdict.FAILED)
    assert len(found.of(Verdict.PASSED)) > 25


@pytest.mark.parametrize("name", CASES)
def test_known_gaps_are_still_there(name):
    case = CASES[name]
    closed = case.gaps.keys() - (broken(case.make, **case.told) if case.gaps else set())
    assert not closed, f"these hold now: take them out of the gaps of {name}"


def faults(sabotage, name, _cache={}):  # noqa: B006
    if (sabotage, name) not in _cache:
        case = CASES[name]
        _cache[sabotage, name] = broken(lambda: sabotage(case.make()), **case.told)
    return _cache[sabotage, name]


@pytest.mark.parametrize(("sabotage", "check"), SABOTAGES)
def test_a_sabotaged_engine_fails(sabotage, check):
    assert check in faults(sabotage, "fake")


@pytest.mark.parametrize(
    ("sabotage", "check"), [each for each in SABOTAGES if each[0] in ON_MUJOCO]
)
def test_a_sabotaged_mujoco_engine_fails(sabotage, check):
    assert check in faults(sabotage, "mujoco gl")


@pytest.mark.parametrize(("sabotage", "check"), ALONE)
def test_an_engine_that_breaks_one_promise_fails_there_alone(sabotage, check):
    assert faults(sabotage, "fake") == {check}


@pytest.mark.parametrize(
    ("sabotage", "check"),
    [
        (bad.DistanceAlongTheAxis, "distance_is_along_the_ray"),
        (bad.LastBitsDifferInOneGo, "views_together_are_as_alone"),
        (bad.TakesAllViewsAtOnce, "views_are_taken_one_by_one"),
        (bad.DoneBeforeBegun, "sample_says_who_drew_it"),
        (bad.BoxesAreTooSmall, "boxes_hold_what_is_seen"),
        (bad.BoxesStandElsewhere, "boxes_hold_what_is_seen"),
        (bad.RandomStatesOthersThanDescribed, "random_states_are_the_generator_s"),
    ],
)
def test_a_mujoco_engine_that_breaks_one_promise_fails_there_alone(sabotage, check):
    assert faults(sabotage, "mujoco gl") == {check}


@pytest.mark.parametrize(("sabotage", "check"), WITH_HEAT)
def test_passes_of_an_engine_s_own_are_checked_by_their_spec(sabotage, check):
    assert check in broken(lambda: sabotage(HeatEngine()))
    assert "describes_itself" not in broken(lambda: sabotage(HeatEngine()))


@pytest.mark.parametrize("name", CASES)
def test_the_wrapper_alone_is_no_fault(name):
    assert faults(bad.Sabotaged, name) == set(CASES[name].gaps)


def test_every_check_has_a_docstring_and_every_pass_is_covered():
    assert all(check.run.__doc__ for check in CHECKS.values())
    covered = {name for each in report("fake").outcomes.values() for name in each.passes}
    assert covered == set(FakeEngine().passes)


def test_the_error_lists_what_was_expected_and_what_came():
    with pytest.raises(ContractError, match=r"depth_is_in_metres.*got .* m less depth") as caught:
        check_engine(lambda: bad.DepthIsOnePercentOff(FakeEngine()))
    assert caught.value.report is not None
    assert "depth_is_in_metres" in caught.value.report.of(Verdict.FAILED)
    assert "depth_is_in_metres: failed" in str(caught.value.report)
    assert str(caught.value) in str(type(caught.value)(str(caught.value)))


def test_an_engine_without_a_pass_is_checked_on_the_others():
    class Fewer(bad.Sabotaged):
        @property
        def passes(self):
            return specs(DEPTH, SEGMENTATION)

        def render(self, view, out=None):
            select_passes(view.pass_names, self.passes)
            return super().render(view, out)

    found = check_engine(lambda: Fewer(FakeEngine()))
    assert found.outcomes["normals_are_unit"].verdict is Verdict.SKIPPED
    assert found.outcomes["refuses_missing_passes"].verdict is Verdict.PASSED


def test_an_engine_that_shows_nothing_fails():
    with pytest.raises(ContractError, match="expected to see"):
        check_engine(lambda: FakeEngine("blank"))


@pytest.mark.parametrize("camera", ["top", "plan"])
def test_any_camera_will_do(camera):
    check_engine(FakeEngine, camera=camera)


def test_a_check_to_skip_must_exist():
    with pytest.raises(UnknownNameError, match="closed_means_closed"):
        check_engine(FakeEngine, skip=("closed_means_close",))


def test_the_blank_engine_tells_its_view():
    sample = FakeEngine("blank", size=(8, 4)).render(View((), ("rgb", "depth"), seed=2, index=300))
    frame = sample["front"]
    assert (frame.rgb == (300 + 62) % 256).all()
    assert (frame.depth == 300).all()


def test_the_fake_engine_misbehaves_as_told():
    engine = FakeEngine(size=(8, 4))
    with pytest.raises(EngineError, match="told to fail"):
        engine.render(View((), state={"crash": 3}))
    assert engine.render(View((), state={"crash": 0, "sleep": 0.001}))["front"].rgb.any()
    with pytest.raises(SceneError, match="blank"):
        FakeEngine("other")
    assert np.ptp(engine.render(View(("plan",), ("depth",)))["plan"].depth) > 0.5


@pytest.mark.parametrize(("crash", "code"), [(1, 3), (2, -9)])
def test_the_fake_engine_dies_as_told(crash, code):
    import subprocess

    script = (
        "from heliograph.engines.fake import FakeEngine; from heliograph.view import View;"
        f"FakeEngine(size=(8, 4)).render(View((), state={{'crash': {crash}}}))"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == code


def test_contract_errors_are_heliograph_errors():
    assert issubclass(ContractError, HeliographError)
