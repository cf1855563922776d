"""Program that `test_sdk` runs with the interpreter of the official SDK: reads the sandbox from stdin, prints JSON."""

from __future__ import annotations

import base64
import json
import sys
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import PureCloudPlatformClientV2 as genesys  # noqa: N813 - its name is a sentence

given = json.load(sys.stdin)
INTERVAL = "2026-11-19T00:00:00.000Z/2026-11-21T00:00:00.000Z"


def log_in() -> Any:
    """Get a token as the SDK does, but over plain http, which it refuses for the login host."""
    who = base64.b64encode(f"{given['id']}:{given['secret']}".encode()).decode()
    request = urllib.request.Request(  # noqa: S310 - the sandbox
        f"{given['base']}/oauth/token", b"grant_type=client_credentials", {"Authorization": f"Basic {who}"}
    )
    with urllib.request.urlopen(request) as reply:  # noqa: S310 - the sandbox
        token = json.load(reply)["access_token"]
    genesys.configuration.host = given["base"]
    client = genesys.api_client.ApiClient(host=given["base"])
    client.access_token = token
    genesys.configuration.access_token = token
    return client


def until(ask: Callable[[], Any], done: Callable[[Any], bool]) -> Any:
    """Ask until it is done."""
    while True:
        found = ask()
        if done(found):
            return found
        time.sleep(0.2)


def _has_media(one: Any) -> bool:
    """A 202 is decoded as nothing, or as a recording without media."""
    return bool(getattr(one, "media_uris", None))


client = log_in()
conversations, recording = genesys.ConversationsApi(client), genesys.RecordingApi(client)
told = {}

query = genesys.ConversationQuery()
query.interval, query.order, query.order_by = INTERVAL, "asc", "conversationStart"
query.paging = genesys.PagingSpec()
query.paging.page_size, query.paging.page_number = 100, 1
page = conversations.post_analytics_conversations_details_query(query)
found = page.conversations
told["conversations"] = len(found)

job = genesys.AsyncConversationQuery()
job.interval = INTERVAL
name = conversations.post_analytics_conversations_details_jobs(job).job_id
until(lambda: conversations.get_analytics_conversations_details_job(name), lambda status: status.state == "FULFILLED")
results = conversations.get_analytics_conversations_details_job_results(name, page_size=1000)
told["jobConversations"] = len(results.conversations)
conversations.get_analytics_conversations_details_jobs_availability()
several = conversations.get_analytics_conversations_details(id=[each.conversation_id for each in found[:3]])
assert len(several.conversations) == 3
single = conversations.get_analytics_conversation_details(found[0].conversation_id)
assert single.conversation_id == found[0].conversation_id
conversations.delete_analytics_conversations_details_job(name)

batch = genesys.BatchDownloadJobSubmission()
batch.batch_download_request_list = []
for each in found[:5]:
    item = genesys.BatchDownloadRequest()
    item.conversation_id = each.conversation_id
    batch.batch_download_request_list.append(item)
submitted = recording.post_recording_batchrequests(batch)
status = until(lambda: recording.get_recording_batchrequest(submitted.id), lambda poll: poll.status == "Completed")
told["results"] = len(status.results)
assert any(result.result_url for result in status.results)

metadata = {each.conversation_id: recording.get_conversation_recordingmetadata(each.conversation_id) for each in found}
states = [(each.conversation_id, each.id, each.file_state) for known in metadata.values() for each in known]
cold = next(state for state in states if state[2] == "ARCHIVED")
change = genesys.Recording()
change.archive_date = "2099-01-01T00:00:00Z"
recording.put_conversation_recording(cold[0], cold[1], change)
told["restored"] = recording.get_conversation_recording(cold[0], cold[1]).file_state
warm = next(state for state in states if state[2] == "AVAILABLE")
played = until(lambda: recording.get_conversation_recording(warm[0], warm[1], download=True), _has_media)
told["played"] = bool(played.media_uris)
marks = recording.get_conversation_recording_annotations(warm[0], warm[1])
told["annotations"] = sorted({mark.type for mark in marks})
bookmark = next(mark for mark in marks if mark.type == "Bookmark")
assert recording.get_conversation_recording_annotation(warm[0], warm[1], bookmark.id).id == bookmark.id
told["inventory"] = len(recording.get_recordings_retention_query(0, page_size=500).entities)
orphans = recording.get_orphanrecordings().entities
told["orphans"] = len(orphans)
assert recording.get_orphanrecording(orphans[0].id).file_state == "AVAILABLE"
assert until(lambda: recording.get_orphanrecording_media(orphans[0].id, download=True), _has_media).media_uris
assert recording.get_recording_settings().recording_batch_download_url_ttl == 60

users = genesys.UsersApi(client).get_users(page_size=100, state="any").entities
told["agents"] = [user.name for user in users]
routing = genesys.RoutingApi(client)
assert routing.get_routing_queues(page_size=100).entities
assert routing.get_routing_wrapupcodes(page_size=100).entities
assert genesys.OrganizationApi(client).get_organizations_me().name
assert genesys.AuthorizationApi(client).get_authorization_divisions().entities
assert genesys.TokensApi(client).get_tokens_me().organization.name
sys.stdout.write(json.dumps(told) + "\n")
