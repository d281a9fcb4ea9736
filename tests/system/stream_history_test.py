"""The checker of provisioning streams has teeth: each kind of violation is found in a stream made by hand, and good ones pass."""

import itertools
import unittest

import history
from history_test import Story, shows
from stream_history import APPLY, DELETE, RETAIN, RegionStreams

LINEAGE = 1 << 48
SET = "1/acme/a"


class Talk:
    """What a region was told and said, upon a history of its set."""

    def __init__(self, story=None):
        self.story = story or Story().set(shows(1), K="1").set(shows(2, "KL"), L="1")
        self.clock = itertools.count(1000, 10)
        self.lines = []
        self.stream = 0

    def say(self, message, **fields):
        self.lines.append({"k": "prov", "s": str(self.stream), "t": next(self.clock), "m": message, **fields})
        return self

    def hello(self, incarnation="i", seen=0, objects=64, size=1 << 22):
        self.stream += 1
        return self.say("hello", inc=incarnation, seen=seen, objects=objects, bytes=size)

    def open(self, epoch=1, head=LINEAGE + 9, **options):
        return self.hello(**options).say("welcome", head=head).say("grant", epoch=epoch)

    def synced(self, *events, count=None, total=None):
        """A full resync of these."""
        self.say("sync_begin", sync="s", as_of=LINEAGE + 9)
        for event in events:
            self.say("events", events=[{**event, "sync": "s"}])
        self.say("sync_end", sync="s", as_of=LINEAGE + 9, count=len(events) if count is None else count,
                 hash=sum(event["hash"] for event in events) if total is None else total)
        return self.say("sync_done", sync="s", swept=True)

    def tell(self, *events):
        return self.say("events", events=list(events))

    def ack(self, revision, what=SET, incarnation="i", ready=True):
        return self.say("acks", acks=[{"o": what, "rev": LINEAGE + revision, "inc": incarnation, "ready": ready}])

    def mark(self, floor=9, head=9, pending=0, lineage=LINEAGE):
        return self.say("bookmark", head=lineage + head, floor=lineage + floor if floor else 0, pending=pending)

    def end(self):
        return self.say("end")

    def check(self):
        past = history.History([{**line, "id": number} for number, line in enumerate(self.story.lines)])
        past.check()
        assert not past.violations, past.violations
        self.counts = RegionStreams("west", past).check(self.lines)
        return past.violations


def event(revision, generation=2, keys="KL", what=SET, operation=APPLY, uid="u", epoch=1, incarnation="i", size=500, fits=True):
    return {"o": what, "uid": uid, "rev": LINEAGE + revision, "op": operation, "epoch": epoch, "inc": incarnation, "bytes": size, "sync": "", "hash": 7,
            **({"digest_fits": fits, "gen": generation, "keys": list(keys)} if operation == APPLY else {})}


class RegionStreamsTest(unittest.TestCase):
    def good(self, talk):
        self.assertEqual(talk.check(), [])

    def bad(self, talk, words):
        self.assertIn(words, "\n".join(talk.check()))

    @staticmethod
    def begun():
        """A region that holds all there is."""
        return Talk().open().synced(event(8)).ack(8).mark()

    def test_a_good_talk_passes_and_is_counted(self):
        talk = self.begun()
        self.good(talk)
        self.assertEqual([talk.counts[word] for word in ("streams", "events", "acks", "bookmarks", "resyncs", "compared", "promises", "finals")],
                         [1, 1, 1, 1, 1, 1, 2, 1])

    # Ordered.

    def test_a_revision_that_goes_back(self):
        self.bad(Talk().open().synced(event(8)).ack(8).tell(event(7, 1, "K")).ack(7), "goes back from")

    def test_a_revision_that_goes_back_from_one_stream_to_the_next(self):
        self.bad(self.begun().end().open(epoch=2, seen=LINEAGE + 8).tell(event(7, 1, "K", epoch=2)), "goes back from")

    def test_a_head_that_goes_back(self):
        self.bad(self.begun().end().open(epoch=2, seen=LINEAGE + 8, head=LINEAGE + 8), "the head goes back")

    def test_an_epoch_that_is_granted_again(self):
        self.bad(self.begun().end().open(epoch=1, seen=LINEAGE + 8), "was granted before")

    # One at a time.

    def test_a_successor_that_does_not_wait(self):
        self.bad(Talk().open().synced(event(7, 1, "K")).tell(event(8)), "is in flight")

    def test_more_than_the_credit(self):
        self.good(Talk().open(objects=2).synced(event(8)).tell(event(9, what="1/acme/b")).ack(8).ack(9, "1/acme/b"))
        self.bad(Talk().open(objects=1).synced(event(8)).tell(event(9, what="1/acme/b")), "2 objects in flight")
        self.bad(Talk().open(size=999).synced(event(8)).tell(event(9, what="1/acme/b")), "more bytes in flight")

    def test_batches_of_none_and_of_seventeen(self):
        self.bad(self.begun().tell(), "0 events in a batch")
        self.good(self.begun().tell(*(event(10, what=f"1/acme/{number}") for number in range(16))))
        self.bad(self.begun().tell(*(event(10, what=f"1/acme/{number}") for number in range(17))), "17 events in a batch")

    # True.

    def test_what_never_was(self):
        self.bad(Talk().open().synced(event(8, generation=3)).ack(8), "was never generation 3")
        self.bad(Talk().open().synced(event(8, keys="K")).ack(8), "had the keys")
        self.bad(Talk().open().synced(event(8, fits=False)).ack(8), "digest does not fit")

    def test_another_revision_of_the_same_number(self):
        self.bad(Talk().open().synced(event(8)).tell(event(8, generation=1, keys="K")), "at 281474976710664 was")

    def test_events_of_another_epoch_or_incarnation(self):
        self.bad(self.begun().tell(event(10, epoch=2)), "of epoch 2")
        self.bad(self.begun().tell(event(10, incarnation="j")), "for j")
        self.bad(Talk().hello().say("welcome", head=LINEAGE + 9).tell(event(8)), "the stream has None")

    # Bookmarks.

    def test_what_comes_behind_the_bookmark_that_had_passed_it(self):
        self.bad(self.begun().tell(event(9, what="1/acme/b")), "behind a bookmark")
        self.good(self.begun().tell(event(10, what="1/acme/b")))

    def test_what_comes_again_behind_a_bookmark_may(self):
        self.good(Talk().open().synced(event(8)).mark(floor=7, pending=1).tell(event(8)).ack(8))

    def test_what_the_floor_said_is_settled(self):
        self.bad(self.begun().tell(event(8)), "said is settled")

    def test_a_floor_over_what_nobody_answered(self):
        self.bad(Talk().open().synced().tell(event(8)).mark(), "nobody answered it")

    def test_a_floor_over_what_is_superseded(self):
        self.good(Talk().open().synced(event(6, 1, "K")).ack(6).tell(event(7, 1, "K")).mark(floor=7, head=7, pending=1).ack(7).tell(event(8)).ack(8))

    def test_bookmarks_that_go_back(self):
        self.bad(self.begun().mark(head=8), "a bookmark goes back")
        self.bad(self.begun().mark(floor=8), "the floor goes back")

    def test_a_floor_for_who_was_not_synced(self):
        self.bad(Talk().open().tell(event(8)).ack(8).mark(), "not synced")
        self.bad(self.begun().end().open(epoch=2, incarnation="j").mark(), "not synced")
        self.bad(self.begun().end().open(epoch=2, seen=LINEAGE + 8, head=2 * LINEAGE).mark(lineage=2 * LINEAGE), "not synced")

    def test_a_standby_that_is_told_a_floor(self):
        self.bad(Talk().hello().say("welcome", head=LINEAGE).say("standby").mark(), "a standby is told a floor")

    # Fresh, resumable, reliable.

    def test_a_promise_that_is_not_told_though_nothing_is_pending(self):
        self.bad(Talk().open().synced(event(7, 1, "K")).ack(7).mark(), "generation 2 of u had been acknowledged")
        self.bad(Talk().open().say("sync_begin", sync="s", as_of=0).say("sync_done", sync="s", swept=True).mark(lineage=0), "a was never told")

    def test_what_a_broken_stream_lost_comes_with_the_next(self):
        lost = Talk().open().synced(event(7, 1, "K")).ack(7).tell(event(8)).end().open(epoch=2, seen=LINEAGE + 7)
        self.good(lost.tell(event(8, epoch=2)).ack(8).mark())
        self.bad(Talk().open().synced(event(7, 1, "K")).ack(7).end().open(epoch=2, seen=LINEAGE + 7).mark(), "nothing is pending")

    def test_a_new_incarnation_is_told_everything_again(self):
        again = self.begun().end().open(epoch=2, incarnation="j")
        self.good(again.synced(event(8, epoch=2, incarnation="j")).ack(8, incarnation="j").mark())
        self.bad(self.begun().end().open(epoch=2, incarnation="j").synced(), "a full resync lacks a")

    def test_a_resync_that_does_not_add_up(self):
        self.bad(Talk().open().synced(event(8), count=2), "a resync of 2 objects")
        self.bad(Talk().open().synced(event(8), total=8), "a resync of 1 objects")
        self.bad(self.begun().say("sync_end", sync="t", as_of=0, count=0, hash=0), "never began")
        self.bad(self.begun().tell({**event(10), "sync": "t"}), "a resync that never began")

    def test_what_is_retained_counts_as_told(self):
        self.good(self.begun().end().open(epoch=2, seen=LINEAGE + 8).synced(event(8, epoch=2, operation=RETAIN)).mark())

    def test_the_last_state_is_told_and_acknowledged(self):
        self.bad(Talk().open().synced(event(7, 1, "K")).ack(7), "at the end")
        self.bad(Talk().open().synced(event(8)), "is not acknowledged")
        self.bad(self.begun().end(), "no stream at the end")

    def test_what_a_full_resync_leaves_out_is_swept(self):
        gone = Story().set(shows(1), K="1").call("delete", force=True)
        self.good(Talk(gone).open().synced(event(7, 1, "K")).ack(7).end().open(epoch=2, seen=LINEAGE + 7).synced().mark())

    def test_a_region_that_refuses_to_sweep_is_synced_all_the_same(self):
        talk = Talk().open().synced(event(8)).ack(8)
        talk.lines[-2]["swept"] = False
        self.good(talk.mark())

    def test_a_deletion_is_told(self):
        gone = Story().set(shows(1), K="1").call("delete", force=True)
        self.good(Talk(gone).open().synced(event(7, 1, "K")).ack(7).tell(event(10, operation=DELETE)).ack(10).mark(floor=10, head=10))
        self.bad(Talk(gone).open().synced(event(7, 1, "K")).ack(7), "at the end")

    # The region's side.

    def test_a_region_that_lost_what_it_acknowledged(self):
        self.bad(self.begun().end().open(epoch=2, seen=LINEAGE + 7), "has acknowledged")
        self.bad(self.begun().tell(event(10, 2)).ack(10).ack(8), "has acknowledged")
        self.good(self.begun().tell(event(10, 2)).ack(10).ack(8, ready=False).ack(10))


if __name__ == "__main__":
    unittest.main()
