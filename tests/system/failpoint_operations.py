"""The operations that the failpoint matrix crosses with every failpoint: how each begins, and when all that it set off is done."""

import base64
import hashlib
import shutil
import signal

from failpoint_world import REGION, Violation
from harness import Daemon, SystemFailure, free_port, wait_for

SET = "crossed"
OTHER = "beside"
AGENT = "agent"
ROTATED_SECONDS = 60
IDENTITY = {"identity.json", "tls.key", "tls.pem"}


class Operation:
    """`act` runs while a failpoint is armed, perhaps against daemons that die; what it raises counts as not acknowledged."""

    starts_daemons = False
    # Is done a minute later.
    long = False

    def __init__(self, world):
        self.world = world

    def prepare(self):
        """Nothing is armed."""

    def act(self):
        raise NotImplementedError

    def is_done(self):
        """Also what goes on behind an answer."""
        return True

    def check(self):
        """After everything was started again: what World.converge does not know of. Raises Violation."""

    def content(self, **more):
        return {"KEY": f"value-{self.world.number()}", **more}


class Set(Operation):
    name = "set"

    def act(self):
        return self.world.set(SET, self.content(EXTRA="extra"))


class Unset(Operation):
    name = "unset"

    def prepare(self):
        self.before = self.content(EXTRA="extra")
        self.world.set(SET, self.before)

    def act(self):
        return self.world.write(SET, {"KEY": self.before["KEY"]}, "unset", SET, "EXTRA")


class Delete(Operation):
    name = "delete"

    def prepare(self):
        self.world.set(SET, self.content())

    def act(self):
        return self.world.write(SET, None, "delete", SET)


class Rollback(Operation):
    name = "rollback"

    def prepare(self):
        self.old = self.content()
        self.world.set(SET, self.old)
        self.generation = self.world.sets()[SET]["generation"]
        self.world.set(SET, self.content(EXTRA="extra"))

    def act(self):
        return self.world.write(SET, self.old, "rollback", SET, str(self.generation))


class Deploy(Operation):
    name = "deploy"

    def act(self):
        image = f"image:{self.world.number()}"
        return self.world.deploy(AGENT, image, "deploy", AGENT, image, "--secrets", OTHER)


class Undeploy(Operation):
    name = "undeploy"

    def prepare(self):
        image = f"image:{self.world.number()}"
        self.world.deploy(AGENT, image, "deploy", AGENT, image, "--secrets", OTHER)

    def act(self):
        return self.world.deploy(AGENT, None, "agents", "delete", AGENT)


class Rotation(Operation):
    """Whatever it began must come to its end."""

    def is_done(self):
        status = self.world.key_status()
        region = next(each for each in status["regions"] if each["region"] == REGION)
        return (not status["rotations"] and status["keysUnderOldRoot"] == 0 and not region["previousSealingKeyIds"] and
                region["sealingKeyId"] == self.current_sealing_key())

    def current_sealing_key(self):
        public_key = self.world.system.provisioner_command("public-key", self.world.system.keyring(REGION))
        return hashlib.sha256(base64.b64decode(public_key)).hexdigest()[:32]

    def check(self):
        try:
            wait_for(self.is_done, "the rotation ends", ROTATED_SECONDS, 0.1)
        except SystemFailure:
            raise Violation(f"a rotation does not end: {self.world.key_status()}") from None


class RotateRoot(Rotation):
    name = "rotate root"

    def act(self):
        keyring = self.world.system.directory / "api/keyring"
        added = self.world.command("keyferry-api", "keyring", "add", keyring, "root")
        self.world.system.api.send(signal.SIGHUP)
        return added


class RotateOrganization(Rotation):
    name = "rotate organization"

    def act(self):
        return self.world.operator("admin", "keys", "rotate", "--organization", "acme")


class RotateSystem(Rotation):
    name = "rotate system"

    def act(self):
        return self.world.operator("admin", "keys", "rotate", "--system")


class RotateRegion(Rotation):
    name = "rotate region"

    def prepare(self):
        self.world.system.provisioner_command("retire-keys", self.world.system.keyring(REGION))

    def act(self):
        rotated = self.world.command("keyferry-provisioner", "rotate-key", self.world.system.keyring(REGION))
        self.world.provisioner.send(signal.SIGHUP)
        return rotated


class Backup(Operation):
    name = "backup"

    def act(self):
        return self.world.operator("admin", "backup")

    def check(self):
        """The newest one that is listed is whole, and one can be made."""
        self.world.system.operator().ok("admin", "backup")
        self.verify()

    def verify(self):
        target = self.world.directory / "dry"
        result = self.world.system.operator().run("admin", "restore", "--from", str(self.world.backups), "--keyring", self.keyring, "--data-dir",
                                                  str(target), "--dry-run")
        if result.returncode != 0:
            raise Violation(f"the newest backup is not whole: {result.stderr.decode(errors='replace')}")

    @property
    def keyring(self):
        return str(self.world.system.directory / "api/keyring")


class Restore(Backup):
    """In the place of the store, which ends before a set that the region has."""
    name = "restore"
    starts_daemons = True

    def prepare(self):
        self.world.system.operator().ok("admin", "backup")
        self.late = f"late-{self.world.number()}"
        self.world.set(self.late, self.content())
        self.world.converge()
        self.is_in_place = False

    def is_done(self):
        return not self.is_in_place or self.world.region_files(self.late) is None

    def act(self):
        self.world.system.api.stop()
        target = self.target
        shutil.rmtree(target, ignore_errors=True)
        arguments = ["admin", "restore", "--from", str(self.world.backups), "--keyring", self.keyring, "--data-dir", str(target)]
        if not self.world.operator(*arguments):
            # What a killed restore left is no store, and the command says so.
            if target.exists() and any(target.iterdir()) and self.world.system.operator().run(*arguments).returncode == 0:
                raise Violation("a restore went into a directory that held a part of another one")
            shutil.rmtree(target, ignore_errors=True)
            return False
        self.put_in_place()
        self.world.system.api.start()
        return True

    @property
    def target(self):
        return self.world.directory / "restored"

    def put_in_place(self):
        data = self.world.system.api_data
        shutil.rmtree(data)
        self.target.rename(data)
        self.is_in_place = True
        # It ends before what these tell of.
        shutil.rmtree(self.world.audit_directory, ignore_errors=True)
        self.world.audit_directory.mkdir(mode=0o700)
        self.world.possible[self.late] = [None]
        self.world.acknowledged -= 1


class Enroll(Operation):
    name = "enroll"

    def prepare(self):
        self.id = self.world.number() + 100
        self.world.system.region_data(REGION, self.id).mkdir(mode=0o700, parents=True)
        self.token = self.world.system.operator().ok("regions", "token", REGION)

    def act(self):
        return self.world.system.try_enroll(REGION, self.id, self.token).returncode == 0

    def check(self):
        """There is a whole identity or none; where there is none, another id enrolls."""
        identity = self.world.system.identity(REGION, self.id)
        if (identity / "current").exists():
            if (found := {path.name for path in (identity / "current").iterdir()}) != IDENTITY:
                raise Violation(f"{identity}/current is not whole: {found}")
        else:
            self.id = self.world.number() + 100
            self.world.system.region_data(REGION, self.id).mkdir(mode=0o700, parents=True)
            self.world.system.enroll(REGION, self.id)
        self.world.system.operator().run("regions", "revoke", REGION, f"{REGION}-{self.id}")


class Resync(Operation):
    name = "resync"

    def prepare(self):
        self.before = self.count()

    def act(self):
        return self.world.operator("regions", "resync", REGION)

    def is_done(self):
        return self.count() > self.before

    def count(self):
        return self.world.provisioner.log.read_text(errors="replace").count('"resync_complete"')


class DeleteOrganization(Operation):
    name = "delete organization"

    def prepare(self):
        self.organization = f"gone-{self.world.number()}"
        self.keys_before = self.world.key_status()["keyCount"]
        user = self.world.system.user(key=self.world.system.new_organization(self.organization), organization=self.organization)
        user.ok("secrets", "set", "its-set", "KEY=value", "--region", REGION, "--wait=30s")
        self.acknowledged = False

    def act(self):
        self.acknowledged = self.world.operator("orgs", "delete", self.organization, "--confirm", self.organization)
        return self.acknowledged

    def is_done(self):
        log = self.world.system.api.log.read_text(errors="replace").splitlines()
        return any('"organization_deleted"' in line and f'"{self.organization}"' in line for line in log)

    def was_retired(self):
        """Its key is gone, which is the last step: one who died right after it leaves nobody who tells of the end."""
        return self.world.key_status()["keyCount"] == self.keys_before

    def check(self):
        listed = [each["name"] for each in self.world.system.operator().json("orgs", "list")["organizations"]]
        if self.organization in listed:
            if self.acknowledged:
                raise Violation(f"{self.organization} is there after its acknowledged deletion")
            self.world.system.operator().ok("orgs", "delete", self.organization, "--confirm", self.organization)
        wait_for(lambda: self.world.region_files("its-set", self.organization) is None, f"the region drops the files of {self.organization}", 30, 0.1)
        wait_for(lambda: self.is_done() or self.was_retired(), f"the deletion of {self.organization} ends", 60, 0.1)


class AuditExport(Operation):
    name = "audit export"

    def act(self):
        self.path = self.world.directory / f"crossed-export-{self.world.number()}"
        return self.world.operator("admin", "audit", "export", "--to", str(self.path))

    def check(self):
        self.path.unlink(missing_ok=True)


class RestartApi(Operation):
    name = "restart api"
    starts_daemons = True

    def act(self):
        self.world.restart(self.world.system.api)


class RestartRegion(Operation):
    name = "restart region"
    starts_daemons = True

    def act(self):
        self.world.restart(self.world.provisioner)


class FirstStart(Operation):
    """Of another API, in a directory that is not there yet."""
    name = "first start"
    starts_daemons = True

    def prepare(self):
        directory = self.world.directory / f"first-{self.world.number()}"
        api = self.world.system.api
        others = {str(self.world.system.api_data): str(directory / "data"), str(self.world.backups): str(directory / "backups"),
                  str(self.world.audit_directory): str(directory / "audit")}
        ports = self.world.system.settings["ports"]
        others |= {f"127.0.0.1:{ports[name]}": f"127.0.0.1:{free_port()}" for name in ("inner", "edge")}
        directory.mkdir(mode=0o700)
        self.directory = directory
        # Without the harness's own --ready-file.
        self.daemon = Daemon("first", self.world.system.logs, [others.get(each, each) for each in api.command[:-2]], self.world.failpoints.environment("first"))

    def act(self):
        self.daemon.start()
        return True

    def check(self):
        if not self.daemon.pid:
            self.daemon.start()
        if not self.daemon.stop():
            raise Violation("an API that was killed in its first start does not stop")
        shutil.rmtree(self.directory)


class Refusal(Operation):
    """What changes nothing is on record, too."""
    name = "refusal"

    def act(self):
        return not self.world.user("regions", "create", "not-allowed")


class WipeRegion(Operation):
    """An empty store: another incarnation, and a full resync."""
    name = "wipe region"
    starts_daemons = True

    def act(self):
        daemon = self.world.provisioner
        daemon.stop()
        shutil.rmtree(self.world.system.region_data(REGION))
        self.world.system.region_data(REGION).mkdir(mode=0o700)
        try:
            daemon.start()
        except SystemFailure:
            return False
        return True


class Shred(Operation):
    """The shredder's round comes once a minute."""
    name = "shred"
    long = True

    def prepare(self):
        self.world.set(SET, self.content())
        self.before = self.count()

    def act(self):
        return self.world.write(SET, None, "delete", SET)

    def is_done(self):
        return self.count() > self.before

    def count(self):
        return self.world.system.api.log.read_text(errors="replace").count('"shredded"')


OPERATIONS = {each.name: each for each in (
    Set, Unset, Delete, Rollback, Deploy, Undeploy, RotateRoot, RotateOrganization, RotateSystem, RotateRegion, Backup, Restore, Enroll, Resync,
    DeleteOrganization, AuditExport, Refusal, FirstStart, RestartApi, RestartRegion, WipeRegion, Shred)}
