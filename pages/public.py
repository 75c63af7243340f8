"""The pages for people who are not signed in: plain HTML without a socket, so that strangers hold nothing open."""

import json
from collections.abc import Mapping
from html import escape
from string import Template
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from domain.federation.sign_in import Offer
from domain.identity.entities import LinkPurpose
from domain.kernel.errors import N_, Failure, Invalid
from domain.operations.entities import NoticeLevel
from domain.services import Services
from domain.tenants.service import Setup
from pages.components.base import STATIC
from pages.i18n import LANGUAGES, preferred, translate

REASONS = {
    "out": ("ok", N_("You are signed out.")),
    "ended": ("warn", N_("Your session has ended. Sign in to continue.")),
    "suspended": ("bad", N_("This organisation is suspended.")),
    "inactive": ("bad", N_("This account is deactivated. Ask your administrator.")),
}
LANGUAGE_COOKIE = "samrad_language"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
PAGE = Template("""<!doctype html>
<html lang="$language" class="auto" data-base="$base"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title · Samråd</title><link rel="icon" href="$base/static/favicon.svg">
<link rel="stylesheet" href="$base/static/theme.css?v=$version">
<script src="$base/static/public.js?v=$version" defer></script></head>
<body><main class="public"><div class="card $wide">
<div class="line"><span class="brand"><img src="$base/static/favicon.svg" alt="">Samråd</span></div>
<div><h1>$title</h1><p class="lead">$lead</p></div>
<div class="note $tone" id="message" role="alert" $hidden>$message</div>
$form
<footer>$languages</footer></div></main></body></html>""")
SIGN_IN = Template("""<form id="sign-in" data-next="$next" data-failed="$failed">
<label>$email<input name="email" type="email" autocomplete="username" required autofocus></label>
<label>$password<input name="password" type="password" autocomplete="current-password" required></label>
<button class="main" data-busy="$busy">$action</button>
<p class="small"><a href="$base/reset-password">$forgotten</a></p></form>""")
PROVIDER = Template("""<p class="or"><span>$divider</span></p>
<form id="provider" data-next="$next" data-failed="$failed">$choice
<button class="main quiet" data-busy="$busy">$action</button></form>""")
ORGANISATION = Template("""<label>$organisation<input name="organisation" autocomplete="organization" required
autocapitalize="none" spellcheck="false"><span class="help">$help</span></label>""")
ORGANISATIONS = Template("""<label>$organisation<select name="organisation" required>
<option value="">$choose</option>$options</select></label>""")
CHOOSE_PASSWORD = Template("""<form id="choose-password" data-failed="$failed">
<input type="hidden" name="token" value="$token"><input type="hidden" name="email" value="$email">
<p class="muted small">$email</p>$profile
<label>$password<input name="password" type="password" autocomplete="new-password" minlength="$least" required autofocus>
<span class="help">$password_help</span></label>
<button class="main" data-busy="$busy">$action</button></form>""")
PROFILE = Template("""<label>$name<input name="username" autocomplete="name" value="$value"></label>
<label>$chosen<select name="language">$options</select></label>""")
FORGOTTEN = Template("""<form id="forgotten" data-failed="$failed" data-sent="$sent">
<label>$email<input name="email" type="email" autocomplete="username" required autofocus></label>
<button class="main" data-busy="$busy">$action</button></form>""")
BACK = Template('<p><a href="$base/sign-in">$again</a></p>')
UNREACHABLE = N_("The server cannot be reached. Check the connection and try again.")
PASSWORD_HELP = N_("At least {least} characters. A sentence is easy to remember.")
SET_UP = Template("""<form id="set-up" data-failed="$failed">
<label>$organisation<input name="organisation" autocomplete="organization" required autofocus></label>
<div class="two"><label>$name<input name="username" autocomplete="name" required></label>
<label>$email<input name="email" type="email" autocomplete="username" required></label></div>
<label>$password<input name="password" type="password" autocomplete="new-password" minlength="10" required>
<span class="help">$password_help</span></label>
<label>$chosen<select name="language">$options</select></label>
<button class="main" data-busy="$busy">$action</button></form>""")


def language_of(request: Request) -> str:
    """The language chosen here before, else the browser's."""
    chosen = request.query_params.get("language") or request.cookies.get(LANGUAGE_COOKIE, "")
    return chosen if chosen in LANGUAGES else preferred(request.headers.get("accept-language", ""))


def base_of(request: Request) -> str:
    """The path under which a proxy shows the product; empty at the root of its host."""
    return escape(str(request.scope.get("root_path", "")))


def safe_next(target: str) -> str:
    """A path of this site to go on to; anything else is the start page."""
    if not target.startswith("/") or target.startswith(("//", "/\\", "/sign-in", "/set-up", "/auth/", "/login/")):
        return "/"
    return "".join(c for c in target if c >= " ")


def _html(
    request: Request, form: str, *, title: str, lead: str, note: tuple[str, str] | None, wide: bool
) -> HTMLResponse:
    language = language_of(request)
    links = []
    for code, name in LANGUAGES.items():
        query = "&".join(f"{k}={quote(v)}" for k, v in {**request.query_params, "language": code}.items())
        current = ' aria-current="true"' if code == language else ""
        links.append(f'<a href="?{escape(query)}" lang="{code}"{current}>{escape(name)}</a>')
    content = PAGE.substitute(
        language=language,
        base=base_of(request),
        version=int((STATIC / "theme.css").stat().st_mtime),
        title=escape(title),
        lead=escape(lead),
        form=form,
        tone=note[0] if note else "bad",
        hidden="" if note else "hidden",
        message=escape(note[1]) if note else "",
        languages="".join(links),
        wide="wide" if wide else "",
    )
    response = HTMLResponse(content, headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-store"})
    response.set_cookie(LANGUAGE_COOKIE, language, max_age=31_536_000, httponly=True, samesite="lax")
    return response


def _words(language: str, words: Mapping[str, str]) -> dict[str, str]:
    return {name: escape(translate(message, language)) for name, message in words.items()}


async def sign_in_page(services: Services, request: Request) -> Response:
    """The sign-in page; to the set-up page when nobody has set the installation up."""
    if await services.setup.needed():
        return RedirectResponse("/set-up", 303)
    language = language_of(request)
    tone, reason = REASONS.get(request.query_params.get("reason", ""), ("", ""))
    notice = await services.operations.notice()
    if notice is not None and not reason:
        tone, reason = "warn" if notice.level != NoticeLevel.INFO else "", notice.text(language)
    words = {
        "email": N_("E-mail"),
        "password": N_("Password"),
        "forgotten": N_("Forgotten password?"),
        "action": N_("Sign in"),
        "busy": N_("Signing in…"),
        "failed": N_("The server cannot be reached. Check the connection and try again."),
    }
    target = escape(safe_next(request.query_params.get("next", "/")))
    form = SIGN_IN.substitute(_words(language, words), next=target, base=base_of(request))
    offer = await services.provider_sign_in.offer()
    if offer is not None:
        form += _provider_form(offer, language, target)
    return _html(
        request,
        form,
        title=translate(N_("Sign in"), language),
        lead=translate(N_("Welcome back."), language),
        note=(tone, translate(reason, language)) if reason else None,
        wide=False,
    )


def _provider_form(offer: Offer, language: str, target: str) -> str:
    words = {
        "divider": N_("or"),
        "busy": N_("Going on…"),
        "failed": N_("The server cannot be reached. Check the connection and try again."),
    }
    action = (
        translate(N_("Sign in with {provider}"), language, provider=offer.provider)
        if offer.provider
        else translate(N_("Sign in with your organisation"), language)
    )
    return PROVIDER.substitute(
        _words(language, words), next=target, choice=_choice(offer, language), action=escape(action)
    )


def _choice(offer: Offer, language: str) -> str:
    """Which organisation: a list where everybody may see it, else a field in which one must know it."""
    if not offer.choose:
        return ""
    label = {"organisation": N_("Organisation")}
    if not offer.tenants:
        label["help"] = N_("Its short name, or your e-mail address at work.")
        return ORGANISATION.substitute(_words(language, label))
    options = "".join(
        f'<option value="{escape(each.slug)}">{escape(each.display_name)}</option>' for each in offer.tenants
    )
    return ORGANISATIONS.substitute(_words(language, label | {"choose": N_("Choose…")}), options=options)


async def link_page(services: Services, request: Request) -> Response:
    """Where the holder of a one-time link chooses a password. Without a link it asks for the address to mail one to."""
    language, token = language_of(request), request.query_params.get("token", "")
    if not token:
        return _forgotten_page(services, request)
    try:
        opened = await services.links.look(token)
    except Failure as failure:
        return _refused_link(request, failure)
    invited = opened.purpose is LinkPurpose.INVITATION
    words = {
        "password": N_("Password"),
        "action": N_("Create the account") if invited else N_("Save the password"),
        "busy": N_("Saving…"),
        "failed": UNREACHABLE,
        "name": N_("Your name"),
        "chosen": N_("Language"),
    }
    least = services.links.policy.minimum
    help_text = translate(PASSWORD_HELP, language, least=least)
    form = CHOOSE_PASSWORD.substitute(
        _words(language, words),
        token=escape(token),
        email=escape(opened.email),
        least=least,
        password_help=escape(help_text),
        profile=PROFILE.substitute(
            _words(language, words), value=escape(opened.username or ""), options=_languages(opened.language)
        )
        if invited
        else "",
    )
    lead = N_("You are invited to {organisation}.") if invited else N_("For your account in {organisation}.")
    return _html(
        request,
        form,
        title=translate(N_("Welcome") if invited else N_("Choose a new password"), language),
        lead=translate(lead, language, organisation=opened.organisation),
        note=None,
        wide=False,
    )


def _forgotten_page(services: Services, request: Request) -> Response:
    language = language_of(request)
    if not services.links.mailer.ready:
        text = translate(N_("Ask your administrator for a link with which you choose a new password."), language)
        note, form = ("ok", text), ""
    else:
        words = {
            "email": N_("E-mail"),
            "action": N_("Send the link"),
            "busy": N_("Sending…"),
            "failed": UNREACHABLE,
            "sent": N_("If the address belongs to an account, a link is on its way."),
        }
        note, form = None, FORGOTTEN.substitute(_words(language, words))
    form += _back(request)
    lead = translate(N_("You get a link by mail with which you choose a new one."), language) if note is None else ""
    return _html(request, form, title=translate(N_("Forgotten password"), language), lead=lead, note=note, wide=False)


def _back(request: Request) -> str:
    words = {"again": N_("Back to the sign-in page")}
    return BACK.substitute(_words(language_of(request), words), base=base_of(request))


def _refused_link(request: Request, failure: Failure) -> Response:
    language = language_of(request)
    response = _html(
        request,
        _back(request),
        title=translate(N_("The link does not work"), language),
        lead=translate(N_("Links work once, and only for a while."), language),
        note=("bad", translate(failure.message, language, **failure.params)),
        wide=False,
    )
    response.status_code = failure.status
    return response


def _languages(chosen: str) -> str:
    return "".join(
        f'<option value="{code}"{" selected" if code == chosen else ""}>{escape(name)}</option>'
        for code, name in LANGUAGES.items()
    )


async def set_up_page(services: Services, request: Request) -> Response:
    """The first page of an installation: organisation and administrator."""
    if not await services.setup.needed():
        return RedirectResponse("/sign-in", 303)
    language = language_of(request)
    words = {
        "organisation": N_("Name of the organisation"),
        "name": N_("Your name"),
        "email": N_("Your e-mail"),
        "password": N_("Password"),
        "password_help": N_("At least 10 characters. A sentence is easy to remember."),
        "chosen": N_("Language"),
        "action": N_("Create the organisation"),
        "busy": N_("Creating…"),
        "failed": N_("The server cannot be reached. Check the connection and try again."),
    }
    form = SET_UP.substitute(_words(language, words), options=_languages(language))
    lead = N_("Name the organisation and its first administrator. Everything stays on this server.")
    return _html(
        request,
        form,
        title=translate(N_("Set up Samråd"), language),
        lead=translate(lead, language),
        note=None,
        wide=True,
    )


async def set_up(services: Services, request: Request) -> Response:
    """Create the organisation; the browser then signs in with what was entered."""
    language = language_of(request)
    try:
        entered = _entered(await request.body())
        await services.setup.run(
            Setup(
                organisation=entered.get("organisation", ""),
                email=entered.get("email", ""),
                password=entered.get("password", ""),
                language=entered.get("language", language),
                username=entered.get("username") or None,
            )
        )
    except Failure as failure:
        text = translate(failure.message, language, **failure.params)
        return JSONResponse({"message": text, "code": failure.code, "field": failure.field}, failure.status)
    return Response(status_code=204)


def _entered(body: bytes) -> dict[str, str]:
    try:
        data = json.loads(body)
    except ValueError:
        raise Invalid from None
    if len(body) > 20_000 or not isinstance(data, dict) or not all(isinstance(v, str) for v in data.values()):
        raise Invalid
    return data


def sign_in_failed(request: Request, failure: Failure, reference: str) -> Response:
    """What somebody sees whose sign-in through a provider failed: why, and the id to report."""
    language = language_of(request)
    text = translate(failure.message, language, **failure.params)
    words = {"again": N_("Back to the sign-in page")}
    form = Template('<p class="muted small">$told</p><a class="main" href="$base/sign-in">$again</a>').substitute(
        _words(language, words),
        base=base_of(request),
        told=escape(translate(N_("Reference for your administrator: {id}"), language, id=reference)),
    )
    response = _html(
        request,
        form,
        title=translate(N_("You are not signed in"), language),
        lead=translate(N_("The sign-in through the identity provider did not work."), language),
        note=("bad", text),
        wide=False,
    )
    response.status_code = failure.status
    return response
