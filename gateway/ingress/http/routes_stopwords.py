"""The rows of the route table for stop-words.

In: handlers, shapes, answers. Out: `STOPWORDS`, which `routes.ROUTES` includes.
"""

from __future__ import annotations

from typing import Final

from gateway.ingress.http import answers_stopwords as a
from gateway.ingress.http import shapes_stopwords as shapes
from gateway.ingress.http import stopwords
from gateway.ingress.http.parameters import MODERATION, STRING
from gateway.ingress.http.route import Parameter, Route
from gateway.policy.stopwords.lists import MOST_ENTRIES, ListDoc

_ACCOUNT: Final = Parameter(
    "account",
    "Whose, for keys with the scope `admin`; `*` for what holds for all accounts.",
    STRING,
)

STOPWORDS: Final[tuple[Route, ...]] = (
    Route(
        method="GET",
        path="/v1/stopwords",
        handler=stopwords.listing,
        summary="List stop-word lists",
        description="The account's and those for all accounts, files included, with versions and "
        "counts, as they are in force on this node.",
        tag="Moderation",
        scope=MODERATION,
        admin=True,
        responses={200: a.StopLists},
        parameters=(_ACCOUNT,),
    ),
    Route(
        method="POST",
        path="/v1/stopwords/check",
        handler=stopwords.check,
        summary="Look for stop-words",
        description="What would be found in a text and a sender of the account. Nothing is stored "
        "or counted.",
        tag="Moderation",
        scope=MODERATION,
        admin=True,
        request=shapes.StopWordCheck,
        responses={200: a.StopWordsFound},
        parameters=(_ACCOUNT,),
        takes_body=True,
    ),
    Route(
        method="GET",
        path="/v1/stopwords/{id}",
        handler=stopwords.get,
        summary="Get or export a stop-word list",
        description="With `Accept: text/plain` or `text/csv` as an import takes it. Lists for all "
        "accounts are read with the scope `admin`.",
        tag="Moderation",
        scope=MODERATION,
        admin=True,
        item="stopwords",
        responses={200: a.StopListWhole},
        exports=(stopwords.PLAIN, stopwords.CSV),
        parameters=(_ACCOUNT,),
    ),
    Route(
        method="PUT",
        path="/v1/stopwords/{id}",
        handler=stopwords.put,
        summary="Put or import a stop-word list",
        description="The whole list, with up to "
        f"{MOST_ENTRIES} entries: JSON; plain text, an entry a line (`!` before an exception, `#` "
        "before a comment, `[class]` before a class, its date and source after it); or CSV with a "
        "header row (`entry`, optionally `class`, `exception`, `as_of`, `source`). UTF-8. One "
        "entry that cannot be used refuses the list. It is in force when it is answered; what was "
        "decided under the version before is asked again. Lists for all accounts take the scope "
        "`admin`.",
        tag="Moderation",
        scope=MODERATION,
        admin=True,
        item="stopwords",
        media=stopwords.MEDIA,
        request=ListDoc,
        responses={200: a.StopListStored},
        parameters=(
            _ACCOUNT,
            Parameter("class", "Of an import's entries that name none; default `other`.", STRING),
            Parameter("language", "Of an import; default: as before.", STRING),
            Parameter(
                "on_match",
                "Of an import; default: as before.",
                {"type": "string", "enum": ["hold", "reject"]},
            ),
        ),
        takes_body=True,
        conflicts=True,
    ),
    Route(
        method="DELETE",
        path="/v1/stopwords/{id}",
        handler=stopwords.delete,
        summary="Delete a stop-word list",
        description="Lists from files are taken out of the configuration instead.",
        tag="Moderation",
        scope=MODERATION,
        admin=True,
        item="stopwords",
        responses={204: None},
        parameters=(_ACCOUNT,),
    ),
)
