"""What is written over TAXII is in the audit log, with who and from where; what is read is not."""

from __future__ import annotations

from hub.access.audit import Audit, Wanted
from tests.stores import store_in
from tests.taxii.served import Box, Hub, indicator


def test_posts_deletes_and_failed_sign_ins_are_told(box: Box) -> None:
    one = indicator()
    status = box.post(one, {"type": "indicator"})
    assert box.hub.call("DELETE", f"{box.path}objects/{one['id']}/").status == 200
    box.get()
    assert box.hub.call("GET", box.path, None, headers={"Authorization": "Bearer wrong"}).status == 401
    store = store_in(box.hub.data)
    audit = Audit(store)
    deleted, posted = audit.newest(Wanted(target=box.name))
    assert (posted.action, posted.who, posted.where, posted.result) == ("objects.post", "leo", "127.0.0.1", "done")
    counts = {"total_count": "2", "success_count": "1", "failure_count": "1"}
    assert posted.details == {"status": status["id"], **counts}
    assert (deleted.action, deleted.who, deleted.details) == (
        "objects.delete",
        "leo",
        {"id": one["id"], "versions": "1"},
    )
    audit.verify()
    store.close()


def test_a_refused_writer_is_told_once_and_not_the_readers(hub: Hub) -> None:
    path = "/hub/collections/federal-advisories/"
    for _ in range(3):
        assert hub.call("POST", f"{path}objects/", "pam", body={"objects": [indicator()]}).status == 403
        assert hub.call("DELETE", f"{path}objects/{indicator()['id']}/", "pam").status == 403
    store = store_in(hub.data)
    entries = list(Audit(store).newest(Wanted(who="pam", target="federal-advisories", result="not-allowed")))
    store.close()
    told = [("objects.delete", "federal-advisories", "127.0.0.1"), ("objects.post", "federal-advisories", "127.0.0.1")]
    assert [(one.action, one.target, one.where) for one in entries] == told
