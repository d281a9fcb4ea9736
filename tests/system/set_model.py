"""What one secret set and the agent of its name may answer, as a sequential model for linearizability.check.

Whether the set is READY is its region's to say, and no call of a client changes it: the model lets the region prove the present generation at any
time. What it holds calls to is that an accepted deployment binds the generation that is the newest at that very moment, that what is said to be READY is the
newest generation, and that the region then holds exactly what the order of writes says (`held`).
"""

from typing import NamedTuple

KEPT_GENERATIONS = 10
READY = 2
# Refusals that say nothing about the state: the caller is to try again.
ANY_TIME = {"CONCURRENT_MODIFICATION"}


class State(NamedTuple):
    # Of the set; None: there is none. An id that starts with `?` was given by a write whose answer nobody saw.
    uid: str | None = None
    generation: int = 0
    # Sorted pairs of key and value.
    entries: tuple = ()
    # (generation, entries) of those that a rollback can reach.
    kept: tuple = ()
    # (uid, generation, bound generation, whether it binds the set that is there now) of the agent; None: there is none.
    agent: tuple | None = None
    # What the latest backup holds: a State without one of its own.
    saved: object = None
    # Uids of sets that were deleted since that backup.
    shredded: frozenset = frozenset()
    # So that a backup is never a call that changes nothing: when it happens matters, also where the one before holds the same.
    backups: int = 0


def step(state, what):
    """The state after a call as it was answered, or None. `what` is a line of the history."""
    if what["o"] == "no" and what["why"] in ANY_TIME:
        return state
    return MODELS[what["f"]](state, what.get("a", {}), what)


# Uids.

def same(known, said):
    return known == said or known.startswith("?")


def bind(state, said):
    """The state, with an id that was unknown until now; None when it contradicts."""
    if state.uid is None or not same(state.uid, said["uid"]) or state.generation != said["gen"]:
        return None
    saved = state.saved
    if saved and saved.uid == state.uid:
        saved = saved._replace(uid=said["uid"])
    return state._replace(uid=said["uid"], saved=saved)


def shows(state, said):
    """`said` is what an answer shows of the set."""
    if said is None:
        return state if state.uid is None else None
    bound = bind(state, said)
    if bound is None or [key for key, _ in state.entries] != said["keys"]:
        return None
    if said["rd"] == READY and said["rgen"] != said["gen"]:
        return None
    return None if said["rgen"] > said["gen"] else bound


def etag_of(state):
    return f"{state.uid}.{state.generation}" if state.uid else ""


def etag_fits(state, etag):
    if not etag:
        return True
    return etag == etag_of(state) or (state.uid or "").startswith("?") and etag.rpartition(".")[2] == str(state.generation)


# Writes of the set.

def written(state, entries, what):
    """The state after the set became `entries`; the answer must say so, where there is one."""
    entries = tuple(sorted(entries.items()))
    changed = state.uid is None or entries != state.entries
    after = state
    if changed:
        generation = state.generation + 1 if state.uid else 1
        kept = (*(state.kept if state.uid else ()), (generation, entries))[-KEPT_GENERATIONS:]
        after = state._replace(uid=state.uid or f"?{what['id']}", generation=generation, entries=entries, kept=kept)
    if what["o"] == "unknown":
        return after
    if what["r"]["changed"] != changed:
        return None
    return shows(after, what["r"])


def set_secrets(state, asked, what):
    if what["o"] == "no":
        return state if what["why"] == "ETAG_MISMATCH" and asked["etag"] and asked["etag"] != etag_of(state) else None
    if not etag_fits(state, asked["etag"]):
        return None
    return written(state, {**(dict(state.entries) if state.uid and not asked["all"] else {}), **asked["entries"]}, what)


def refusal_of_edit(state, asked, what):
    if what["why"] == "SECRET_SET_NOT_FOUND":
        return state if state.uid is None else None
    if state.uid is None:
        return None
    if what["why"] == "ETAG_MISMATCH":
        return state if asked["etag"] and asked["etag"] != etag_of(state) else None
    if what["why"] == "SECRET_NOT_FOUND":
        return state if asked["key"] not in dict(state.entries) else None
    if what["why"] == "GENERATION_NOT_FOUND":
        return state if asked["gen"] not in dict(state.kept) else None
    return None


def unset(state, asked, what):
    if what["o"] == "no":
        return refusal_of_edit(state, asked, what)
    entries = dict(state.entries)
    if state.uid is None or not etag_fits(state, asked["etag"]) or asked["key"] not in entries:
        return None
    del entries[asked["key"]]
    return written(state, entries, what)


def rollback(state, asked, what):
    if what["o"] == "no":
        return refusal_of_edit(state, asked, what)
    kept = dict(state.kept)
    if state.uid is None or not etag_fits(state, asked["etag"]) or asked["gen"] not in kept:
        return None
    return written(state, dict(kept[asked["gen"]]), what)


def delete(state, asked, what):
    if what["o"] == "no" and what["why"] == "SECRET_SET_NOT_FOUND":
        return state if state.uid is None else None
    if what["o"] == "no":
        return state if what["why"] == "SECRET_SET_IN_USE" and state.uid and binds(state) and not asked["force"] else None
    if state.uid is None or binds(state) and not asked["force"]:
        return None
    # A deployment keeps what it was deployed with; a set that gets the name later is another one.
    agent = state.agent and (*state.agent[:3], False)
    return state._replace(uid=None, generation=0, entries=(), kept=(), agent=agent, shredded=state.shredded | {state.uid})


def binds(state):
    return state.agent is not None and state.agent[3]


# The agent, and the gate.

def deploy(state, asked, what):
    missing = [key for key in asked["needs"] if key not in dict(state.entries)]
    if what["o"] == "no":
        return state if refusal_of_gate(state, missing, what["why"]) else None
    if state.uid is None or missing:
        return None
    uid, generation, *_ = state.agent or (f"?{what['id']}", 0)
    agent = (uid, generation + 1, state.generation, True)
    if what["o"] == "ok":
        said = what["r"]
        if not same(uid, said["uid"]) or (said["gen"], said["sgen"]) != agent[1:3]:
            return None
        if [key for key, _ in state.entries] != said.get("keys", []):
            return None
        agent = (said["uid"], *agent[1:])
    return state._replace(agent=agent)


def refusal_of_gate(state, missing, why):
    if why == "SECRET_SET_NOT_FOUND":
        return state.uid is None
    if why == "MISSING_REQUIRED_KEYS":
        return state.uid is not None and missing
    return state.uid is not None and why in ("SECRET_SET_PENDING", "SECRET_SET_FAILED")


def undeploy(state, _, what):
    if what["o"] == "no":
        return state if what["why"] == "DEPLOYMENT_NOT_FOUND" and state.agent is None else None
    return state._replace(agent=None) if state.agent else None


def agent(state, _, what):
    if what["o"] == "no":
        return state if what["why"] == "DEPLOYMENT_NOT_FOUND" and state.agent is None else None
    said = what["r"]
    if state.agent is None or not same(state.agent[0], said["uid"]) or (said["gen"], said["sgen"]) != state.agent[1:3]:
        return None
    if said["rd"] == READY and said.get("rgen", said["gen"]) != said["gen"]:
        return None
    return state._replace(agent=(said["uid"], *state.agent[1:]))


# Reads, and what a region holds.

def get(state, _, what):
    if what["o"] == "no":
        return state if what["why"] == "SECRET_SET_NOT_FOUND" and state.uid is None else None
    return shows(state, what["r"])


def held(state, asked, what):
    """The region's files, read after an answer that said READY: those of a generation that was the newest since that call began."""
    values = what["r"]["values"]
    if values is None:
        return state if state.uid is None else None
    if state.uid is None or tuple(sorted(values.items())) != state.entries:
        return None
    if asked["uid"] and asked["uid"] == state.uid and state.generation < asked["least"]:
        return None
    return state


# A backup, and going back to it.

def backup(state, *_):
    return state._replace(saved=state._replace(saved=None, shredded=frozenset()), shredded=frozenset(), backups=state.backups + 1)


def restore(state, *_):
    """A set that was deleted since the backup stays deleted, and so does an agent that holds values of it; other agents come back."""
    saved = state.saved
    if saved.uid in state.shredded:
        agent = None if binds(saved) else saved.agent
        saved = saved._replace(uid=None, generation=0, entries=(), kept=(), agent=agent)
    return saved._replace(saved=state.saved, shredded=state.shredded, backups=state.backups)


MODELS = {"set": set_secrets, "unset": unset, "rollback": rollback, "delete": delete, "deploy": deploy, "undeploy": undeploy, "agent": agent,
          "get": get, "list": get, "held": held, "backup": backup, "restore": restore}
