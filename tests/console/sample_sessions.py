"""Sample chats for the map and for screenshots."""

from datetime import timedelta

from semantic_memory.v1 import memory_service_pb2 as pb
from semantic_memory.v1.memory_pb2 import ROLE_ASSISTANT, ROLE_USER

from tests.support.api import TIMEOUT, Stub, store_request
from tests.support.console_pages import START

ROLES = (ROLE_USER, ROLE_ASSISTANT)

TOPICS = {
    "garden": (
        "Water the {} in the morning",
        "Do slugs eat {}?",
        "{} need six hours of sun",
        "My {} have yellow leaves",
    ),
    "kitchen": (
        "Bake the {} for 40 minutes",
        "Is there a recipe for {}?",
        "Fry the {} in butter",
        "Serve {} with rice",
    ),
    "on-call": (
        "The {} alarm fired at night",
        "p99 latency of {} is high",
        "Restart {}",
        "Roll back {} to the last release",
    ),
    "travel": ("Book a flight to {}", "Hotels in {} are expensive", "Which train goes to {}?", "{} is nice in spring"),
    "sport": (
        "I ran ten kilometres with {}",
        "{} has a knee injury",
        "Join the {} training",
        "The match against {} is off",
    ),
}
WORDS = {
    "garden": ("tomatoes", "roses", "lavender plants", "beans", "hostas"),
    "kitchen": ("bread", "pumpkin", "fish", "potatoes", "mushrooms"),
    "on-call": ("the search service", "the gateway", "billing", "the queue", "the login service"),
    "travel": ("Lisbon", "Oslo", "Vienna", "Kyoto", "Porto"),
    "sport": ("Maria", "Jonas", "the club", "Priya", "the B team"),
}

OPENINGS = ("", "Note: ", "Sam says: ", "Reminder: ", "As agreed: ")


async def store_sessions(stub: Stub, user: str, sessions: int) -> None:
    """Store two messages in each session, on five topics, an hour between sessions. 250 sessions have 500 texts."""
    requests = []
    for number in range(sessions):
        topic = list(TOPICS)[number % len(TOPICS)]
        for part in range(2):
            step = 2 * (number // len(TOPICS)) + part
            text = TOPICS[topic][step % 4].format(WORDS[topic][step // 4 % 5])
            content = OPENINGS[step // 20 % 5] + text[0].upper() + text[1:]
            request = store_request(user, content, f"{topic} {number}", ROLES[part])
            request.timestamp.FromDatetime(START + timedelta(hours=number, minutes=part))
            requests.append(request)
    for first in range(0, len(requests), 100):
        batch = pb.BatchStoreRequest(memories=requests[first : first + 100])
        response = await stub.BatchStore(batch, timeout=TIMEOUT)
        assert all(one.HasField("stored") for one in response.results)
