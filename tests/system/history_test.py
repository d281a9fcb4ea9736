"""The checker of histories has teeth: each kind of violation is found in a history made by hand, and good ones pass."""

import itertools
import json
import tempfile
import unittest
from pathlib import Path

import history
import linearizability

READY, PENDING = 2, 1


class Story:
    """Lines of a history; calls follow one another unless they say when they begin and end."""

    def __init__(self):
        self.lines = []
        self.clock = itertools.count(10, 10)

    def call(self, function, result=None, why=None, at=None, unknown=False, **arguments):
        begin, end = at or (next(self.clock), next(self.clock))
        line = {"k": "call", "h": "a", "region": "west", "c": "c", "f": function, "a": arguments, "t0": begin, "t1": None if unknown else end,
                "o": "unknown" if unknown else "no" if why else "ok"}
        if why:
            line["why"] = why
        elif not unknown:
            line["r"] = result if result is not None else {}
        self.lines.append(line)
        return self

    def set(self, result=None, at=None, why=None, unknown=False, etag="", replace=False, **entries):
        return self.call("set", result, why, at, unknown, entries=entries, all=replace, etag=etag)

    def get(self, result=None, **options):
        return self.call("get", result, **options)

    def watch(self, event, at=None, stream="s", **fields):
        self.lines.append({"k": "watch", "s": stream, "e": event, "t": at or next(self.clock), **({"region": "west"} if event == "open" else {}), **fields})
        return self

    def told(self, generation, keys, uid="u", stream="s", at=None):
        return self.watch("set", at, stream, h="a", uid=uid, gen=generation, rd=PENDING, keys=list(keys))

    def mark(self, function, at=None):
        begin, end = at or (next(self.clock), next(self.clock))
        self.lines.append({"k": "mark", "f": function, "o": "ok", "t0": begin, "t1": end})
        return self

    def check(self):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "history"
            path.write_text("".join(json.dumps(line) + "\n" for line in self.lines))
            return history.check([path])


def shows(generation, keys="K", ready=0, uid="u", changed=True, readiness=None):
    return {"uid": uid, "gen": generation, "rgen": ready, "rd": readiness or (READY if ready == generation else PENDING), "keys": list(keys),
            "changed": changed}


class LinearizabilityTest(unittest.TestCase):
    """The search itself, upon a register."""

    @staticmethod
    def register(state, what):
        kind, value = what
        return value if kind == "write" else state if state == value else None

    def word(self, *calls):
        return linearizability.check([linearizability.Call(*call) for call in calls], self.register, 0).word

    def test_what_overlaps_may_come_in_either_order(self):
        self.assertEqual(self.word((0, 10, ("write", 1)), (1, 9, ("write", 2)), (11, 12, ("read", 1))), "linearizable")
        self.assertEqual(self.word((0, 10, ("write", 1)), (1, 9, ("write", 2)), (11, 12, ("read", 2))), "linearizable")

    def test_what_follows_may_not(self):
        self.assertEqual(self.word((0, 1, ("write", 1)), (2, 3, ("write", 2)), (4, 5, ("read", 1))), "not linearizable")

    def test_two_readers_see_one_order(self):
        self.assertEqual(self.word((0, 9, ("write", 1)), (0, 9, ("write", 2)), (10, 11, ("read", 1)), (12, 13, ("read", 2))), "not linearizable")

    def test_an_unknown_call_takes_effect_late_or_never_but_not_before_it_began(self):
        self.assertEqual(self.word((0, None, ("write", 1)), (5, 6, ("read", 0)), (7, 8, ("read", 1))), "linearizable")
        self.assertEqual(self.word((0, None, ("write", 1)), (5, 6, ("read", 0))), "linearizable")
        self.assertEqual(self.word((9, None, ("write", 1)), (5, 6, ("read", 1))), "not linearizable")
        self.assertEqual(self.word((0, None, ("write", 1)), (5, 6, ("read", 1)), (7, 8, ("read", 0))), "not linearizable")

    def test_a_search_that_takes_too_long_is_undecided(self):
        calls = [(0, None, ("write", number)) for number in range(1, 40)]
        self.assertEqual(self.word(*calls, (1, 2, ("read", 99))), "undecided")


class SetHistoryTest(unittest.TestCase):
    def good(self, story):
        self.assertEqual(story.check().violations, [])

    def bad(self, story, words):
        self.assertIn(words, "\n".join(story.check().violations))

    @staticmethod
    def written():
        return Story().set(shows(1), K="1").set(shows(2, "KL"), L="1")

    def test_a_life_of_a_set_passes(self):
        self.good(self.written().get(shows(2, "KL", ready=2)).call("deploy", {"uid": "d", "gen": 1, "sgen": 2, "keys": ["K", "L"]}, needs=["K"])
                  .call("delete", why="SECRET_SET_IN_USE", force=False).call("rollback", shows(3, "K", ready=2), gen=1, etag="u.2")
                  .call("deploy", why="SECRET_SET_PENDING", needs=[]).call("undeploy").call("delete", force=False).get(why="SECRET_SET_NOT_FOUND")
                  .set(shows(1, uid="v"), K="1"))

    def test_a_lost_write(self):
        self.bad(self.written().get(shows(1)), "no order")

    def test_a_write_that_came_twice(self):
        self.bad(self.written().get(shows(3, "KL")), "no order")

    def test_a_refused_write_that_came(self):
        self.bad(self.written().set(why="ETAG_MISMATCH", etag="u.1", M="1").get(shows(3, "KLM")), "no order")

    def test_an_etag_that_was_not_heeded(self):
        self.bad(self.written().set(shows(3, "KLM"), etag="u.1", M="1"), "no order")

    def test_a_refusal_without_a_reason(self):
        self.bad(self.written().set(why="ETAG_MISMATCH", etag="u.2", M="1"), "no order")

    def test_a_deleted_set_that_comes_back(self):
        self.bad(self.written().call("delete", force=False).get(shows(2, "KL")), "no order")

    def test_a_set_that_is_gone(self):
        self.bad(self.written().get(why="SECRET_SET_NOT_FOUND"), "no order")

    def test_a_deletion_under_a_deployment(self):
        self.bad(self.written().call("deploy", {"uid": "d", "gen": 1, "sgen": 2, "keys": ["K", "L"]}, needs=[]).call("delete", force=False), "no order")

    def test_a_set_of_the_same_name_is_not_bound_by_what_bound_the_one_before(self):
        story = self.written().call("deploy", {"uid": "d", "gen": 1, "sgen": 2, "keys": ["K", "L"]}, needs=[]).call("delete", force=True)
        self.good(story.set(shows(1, uid="v"), K="1").call("delete", force=False).call("agent", {"uid": "d", "gen": 1, "sgen": 2, "rd": READY}))

    def test_a_deployment_of_an_older_generation(self):
        self.bad(self.written().call("deploy", {"uid": "d", "gen": 1, "sgen": 1, "keys": ["K"]}, needs=[]), "no order")

    def test_a_deployment_without_a_required_key(self):
        self.bad(self.written().call("deploy", {"uid": "d", "gen": 1, "sgen": 2, "keys": ["K", "L"]}, needs=["M"]), "no order")

    def test_a_lost_deployment(self):
        self.bad(self.written().call("deploy", {"uid": "d", "gen": 1, "sgen": 2, "keys": ["K", "L"]}, needs=[])
                 .call("agent", why="DEPLOYMENT_NOT_FOUND"), "no order")

    def test_readiness_of_another_generation(self):
        self.bad(self.written().get(shows(2, "KL", ready=1, readiness=READY)), "no order")

    def test_readiness_that_goes_away_unless_the_region_was_disturbed(self):
        story = self.written().get(shows(2, "KL", ready=2)).get(shows(2, "KL", ready=0))
        self.bad(story, "is not any more")
        story.lines.append({"k": "disturbed", "t0": 60, "t1": 70})
        self.good(story)

    def test_a_region_that_holds_something_else(self):
        self.good(self.written().call("held", {"values": {"K": "1", "L": "1"}}, least=2, uid="u"))
        self.bad(self.written().call("held", {"values": {"K": "1"}}, least=2, uid="u"), "no order")
        self.bad(self.written().call("held", {"values": {"K": "1", "L": "2"}}, least=2, uid="u"), "no order")
        self.bad(self.written().call("held", {"values": None}, least=2, uid="u"), "no order")

    def test_a_listing_that_lacks_a_set(self):
        story = self.written()
        story.call("list").lines[-1]["r"] = None
        self.bad(story, "no order")

    def test_an_unknown_write_may_come_or_not(self):
        story = Story().set(shows(1), K="1").set(unknown=True, K="2")
        self.good(story.get(shows(1)))
        self.good(story.get(shows(2)))
        self.bad(story.get(shows(1)), "no order")

    def test_an_unknown_creation_gives_an_id_once(self):
        self.good(Story().set(unknown=True, K="1").get(shows(1)).get(shows(1)))
        self.bad(Story().set(unknown=True, K="1").get(shows(1)).get(shows(1, uid="v")), "no order")

    def test_a_restore_goes_back_to_the_backup_and_keeps_deletions(self):
        back = self.written().mark("backup").set(shows(3, "KLM"), M="1").mark("restore")
        self.good(back.get(shows(2, "KL")))
        self.bad(self.written().mark("backup").set(shows(3, "KLM"), M="1").mark("restore").get(shows(3, "KLM")), "no order")
        self.bad(self.written().mark("backup").call("delete", force=False).mark("restore").get(shows(2, "KL")), "no order")
        self.good(self.written().mark("backup").call("delete", force=False).mark("restore").get(why="SECRET_SET_NOT_FOUND"))

    def test_of_the_agents_a_restore_takes_those_that_hold_values_of_a_deleted_set(self):
        deployed = {"uid": "d", "gen": 1, "sgen": 2}

        def saved():
            story = self.written().get(shows(2, "KL", ready=2)).call("deploy", {**deployed, "keys": ["K", "L"]}, needs=[])
            return story.mark("backup").call("undeploy")

        self.good(saved().mark("restore").call("agent", {**deployed, "rd": READY, "rgen": 1}))
        self.bad(saved().mark("restore").call("agent", why="DEPLOYMENT_NOT_FOUND"), "no order")
        self.good(saved().call("delete", force=False).mark("restore").call("agent", why="DEPLOYMENT_NOT_FOUND"))

    def test_a_backup_holds_what_was_written_while_it_was_made_or_not(self):
        def second(generation):
            story = Story().mark("backup", (1, 2)).mark("backup", (3, 40)).set(shows(1), K="1").set(shows(2, "KL"), L="1", at=(41, 42))
            return story.mark("restore", (50, 60)).get(shows(generation, "KL"[:generation]), at=(70, 80))
        self.good(second(1))
        self.bad(second(2), "no order")

    def test_data_loss_is_never_an_answer(self):
        story = self.written().call("get", unknown=True)
        story.lines[-1].update(code=15, text="lost")
        story.lines.append({**story.lines[-1], "f": "set", "a": {"entries": {"K": "2"}, "all": False, "etag": ""}})
        self.bad(story, "was answered 15")


class WatchTest(unittest.TestCase):
    good, bad = SetHistoryTest.good, SetHistoryTest.bad

    @staticmethod
    def opened():
        return SetHistoryTest.written().watch("open")

    def test_a_good_stream_passes(self):
        self.good(self.opened().told(2, "KL").watch("complete").set(shows(3, "KLM"), M="1").told(3, "KLM").watch("stopped"))

    def test_a_stream_that_goes_back(self):
        self.bad(self.opened().told(2, "KL").watch("complete").told(1, "K"), "goes back")

    def test_a_replaced_set_that_comes_back(self):
        story = self.opened().told(2, "KL").watch("complete").call("delete", force=True).set(shows(1, uid="v"), K="1")
        self.good(story.told(1, "K", uid="v").watch("stopped"))
        self.bad(story.told(2, "KL"), "goes back")

    def test_a_restored_set_may_give_a_generation_again(self):
        story = Story().set(shows(1), K="1").mark("backup").set(shows(2, "KL"), L="1").watch("open").told(2, "KL").watch("complete").mark("restore")
        self.good(story.set(shows(2, "KM"), M="1").told(2, "KM"))
        self.bad(story.told(2, "KN"), "had the keys")

    def test_a_state_that_never_was(self):
        self.bad(self.opened().told(7, "KL"), "never generation 7")
        self.bad(self.opened().told(2, "K"), "had the keys")

    def test_a_stale_snapshot(self):
        self.bad(self.opened().told(1, "K").watch("complete"), "its snapshot shows generation 1")

    def test_a_snapshot_that_lacks_a_set(self):
        self.bad(self.opened().watch("complete"), "lacks a")

    def test_a_snapshot_that_completes_twice(self):
        self.bad(self.opened().told(2, "KL").watch("complete").watch("complete"), "complete twice")

    def test_a_last_state_that_is_not_told(self):
        self.bad(self.opened().told(2, "KL").watch("complete").set(shows(3, "KLM"), M="1").watch("stopped"), "at the end")
        self.bad(self.opened().told(2, "KL").watch("complete").call("delete", force=True).watch("stopped"), "at the end")


if __name__ == "__main__":
    unittest.main()
