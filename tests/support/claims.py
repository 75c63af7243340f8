"""Statements and the passages they cite: true ones in other words, lies of every kind. Written for the tests."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Subject:
    """A passage, what may truly be said with it, and lies about it."""

    passage: str
    true: Sequence[str]
    lies: Sequence[str]


SUBJECTS = [
    Subject(
        "Handläggningen sker i turordning. Avgiften för bygglov för en altan är 4 300 kronor och betalas innan beslutet.",
        [
            "Bygglov för en altan kostar 4 300 kronor i avgift.",
            "Avgiften 4300 kr för altanens bygglov betalas före beslutet.",
            "Avgiften för bygglov är **4 300 kronor** för en altan.",
        ],
        [
            "Avgiften för bygglov för en altan är 3 400 kronor.",
            "Avgiften för bygglov för en altan är 4 300 euro.",
            "Avgiften för bygglov betalas inte innan beslutet.",
            "Avgiften för bygglov för en altan betalas efter beslutet.",
        ],
    ),
    Subject(
        "Beslutet kan överklagas inom tre veckor till länsstyrelsen. Skrivelsen lämnas till kommunen.",
        ["Du kan överklaga beslutet till länsstyrelsen inom 3 veckor.", "Skrivelsen ska lämnas till kommunen."],
        [
            "Beslutet kan överklagas inom två veckor till länsstyrelsen.",
            "Beslutet kan inte överklagas till länsstyrelsen.",
            "Beslutet kan överklagas inom tre månader till länsstyrelsen.",
            "Beslutet kan överklagas till Förvaltningsrätten.",
        ],
    ),
    Subject(
        "Förskolan är öppen vardagar mellan 06.30 och 18.00. Under juli håller en förskola i varje område öppet.",
        ["Förskolan har öppet 06.30–18.00 på vardagar.", "I juli är en förskola öppen i varje område."],
        [
            "Förskolan är stängd vardagar mellan 06.30 och 18.00.",
            "Förskolan är öppen vardagar mellan 07.30 och 18.00.",
            "I augusti är en förskola öppen i varje område.",
        ],
    ),
    Subject(
        "Kommunfullmäktige antog riktlinjen den 14 juni 2023. Den gäller till och med år 2027.",
        [
            "Riktlinjen antogs av kommunfullmäktige 2023-06-14.",
            "Riktlinjen gäller till och med 2027.",
            "Kommunfullmäktige antog riktlinjen 14 juni 2023.",
        ],
        [
            "Kommunfullmäktige antog riktlinjen den 14 juli 2023.",
            "Riktlinjen antogs den 14 juni 2022 av kommunfullmäktige.",
            "Riktlinjen gäller till och med år 2029.",
            "Kommunfullmäktige antog aldrig riktlinjen.",
        ],
    ),
    Subject(
        "Hemtjänst beviljas efter ansökan till en biståndshandläggare. Ansökan görs av den som behöver stöd.",
        ["Man ansöker om hemtjänst hos en biståndshandläggare.", "Hemtjänst beviljas efter en ansökan."],
        ["Hemtjänst beviljas utan ansökan.", "Hemtjänst avslås efter ansökan till en biståndshandläggare."],
    ),
    Subject(
        "Sophämtning sker varannan vecka för restavfall och var fjärde för förpackningar. Kärlet ställs ut senast 06.00.",
        ["Kärlet ska ställas ut senast klockan 06.00.", "Restavfall hämtas varannan vecka."],
        ["Kärlet ställs ut tidigast 06.00.", "Kärlet ställs ut senast 08.00."],
    ),
    Subject(
        "Ordförande i nämnden är Karin Lindgren. Vice ordförande är Ahmed Hassan, som också leder arbetsutskottet.",
        ["Nämndens ordförande heter Karin Lindgren.", "Vice ordförande Ahmed Hassan leder arbetsutskottet."],
        ["Nämndens ordförande heter Karin Ekström.", "Nämndens ordförande är Peter Svensson."],
    ),
    Subject(
        "Högsta tillåtna hastighet på gatan är 30 kilometer i timmen. Parkering är förbjuden på båda sidor.",
        [
            "På gatan är den högsta tillåtna hastigheten 30 km i timmen.",
            "Det är förbjudet att parkera på båda sidor av gatan.",
        ],
        ["Parkering är tillåten på båda sidor.", "Högsta tillåtna hastighet på gatan är 50 kilometer i timmen."],
    ),
    Subject(
        "Elever som bor mer än fyra kilometer från skolan har rätt till skolskjuts. Ansökan behövs inte.",
        ["Elever har rätt till skolskjuts när de bor mer än 4 km från skolan.", "Ansökan behövs inte för skolskjuts."],
        [
            "Elever som bor mindre än fyra kilometer från skolan har rätt till skolskjuts.",
            "Elever som bor mer än fem kilometer från skolan har rätt till skolskjuts.",
            "Elever som bor mer än fyra kilometer från skolan har inte rätt till skolskjuts.",
        ],
    ),
    Subject(
        "Bidraget uppgår till högst 25 000 kronor per förening och år. Föreningen ska ha minst 20 medlemmar.",
        ["Bidraget är högst 25 000 kr per förening och år.", "En förening behöver ha minst 20 medlemmar."],
        [
            "Bidraget är minst 25 000 kr per förening och år.",
            "Föreningen ska ha högst 20 medlemmar.",
            "Bidraget uppgår till högst 52 000 kronor per förening och år.",
        ],
    ),
    Subject(
        "Dricksvattnet kommer från Storsjön och renas i verket i Minnesgärde. Vattnet är mjukt och klorfritt.",
        ["Dricksvattnet renas i verket i Minnesgärde.", "Kommunens dricksvatten kommer från Storsjön."],
        ["Dricksvattnet kommer från Vättern.", "Vattnet är inte mjukt."],
    ),
    Subject(
        "Biblioteket lånar ut böcker i fyra veckor. Den som lämnar tillbaka för sent betalar fem kronor per dag.",
        [
            "Lånetiden för böcker på biblioteket är 4 veckor, då böcker lånas ut.",
            "Den som lämnar för sent betalar 5 kronor per dag.",
        ],
        ["Biblioteket lånar ut böcker i fyra dagar.", "Den som lämnar tillbaka för sent betalar tio kronor per dag."],
    ),
    Subject(
        "Skattesatsen höjs från 21,50 till 21,85 kronor år 2026. Höjningen går till äldreomsorgen.",
        ["Skattesatsen höjs till 21,85 kronor år 2026.", "Skattehöjningen går till äldreomsorgen."],
        ["Skattesatsen sänks till 21,85 kronor år 2026.", "Skattesatsen höjs till 22,85 kronor år 2026."],
    ),
    Subject(
        "En friggebod under 15 kvadratmeter kräver inte bygglov. Den får vara högst tre meter hög.",
        ["Bygglov krävs inte för en friggebod under 15 kvm.", "Friggeboden får vara högst 3 meter hög."],
        [
            "En friggebod under 15 kvadratmeter kräver bygglov.",
            "Friggeboden får vara högst fyra meter hög.",
            "En friggebod över 15 kvadratmeter kräver inte bygglov.",
        ],
    ),
    Subject(
        "Ärende 2026-114 avser detaljplan för kvarteret Björken. Samrådet pågår till den 3 maj.",
        ["Ärendet 2026-114 gäller detaljplanen för kvarteret Björken.", "Samrådet pågår till 3 maj."],
        [
            "Ärendet 2026-141 gäller detaljplanen för kvarteret Björken.",
            "Samrådet pågår till 5 maj.",
            "Ärende 2026-114 avser detaljplan för kvarteret Granen.",
        ],
    ),
    Subject(
        "Trygghetslarmet är gratis för alla över 80 år. För övriga kostar det 190 kronor i månaden.",
        ["Alla över 80 år får trygghetslarmet gratis.", "Övriga betalar 190 kronor i månaden för trygghetslarmet."],
        [
            "Alla under 80 år får trygghetslarmet gratis.",
            "För övriga kostar trygghetslarmet 290 kronor i månaden.",
            "Trygghetslarmet är inte gratis för alla över 80 år.",
        ],
    ),
    Subject(
        "Personuppgiftsansvarig är socialnämnden. Uppgifterna gallras fem år efter att ärendet avslutats.",
        ["Socialnämnden är personuppgiftsansvarig.", "Uppgifter gallras 5 år efter att ärendet har avslutats."],
        [
            "Personuppgiftsansvarig är inte socialnämnden.",
            "Uppgifterna gallras tio år efter att ärendet avslutats.",
            "Uppgifterna gallras fem dagar efter att ärendet avslutats.",
        ],
    ),
    Subject(
        "Simhallen renoveras under våren och öppnar igen den 1 september 2026. Kostnaden beräknas till 48 miljoner kronor.",
        ["Simhallen öppnar igen 2026-09-01.", "Renoveringen av simhallen beräknas kosta 48 miljoner kronor i kostnad."],
        [
            "Simhallen stängs igen den 1 september 2026.",
            "Simhallen öppnar igen den 1 oktober 2026.",
            "Kostnaden beräknas till 84 miljoner kronor.",
        ],
    ),
    Subject(
        "Serveringstillstånd söks hos miljökontoret minst två månader i förväg. Kunskapsprov är obligatoriskt.",
        [
            "Serveringstillstånd ska sökas hos miljökontoret minst 2 månader i förväg.",
            "Kunskapsprovet är obligatoriskt.",
        ],
        ["Serveringstillstånd söks hos miljökontoret minst två veckor i förväg.", "Kunskapsprovet är frivilligt."],
    ),
    Subject(
        "Eldning av trädgårdsavfall är förbjuden från april till och med september. Kompostering är tillåten hela året.",
        [
            "Det är förbjudet att elda trädgårdsavfall från april till och med september.",
            "Kompostering är tillåten året om hela året.",
        ],
        [
            "Eldning av trädgårdsavfall är tillåten från april till och med september.",
            "Kompostering är förbjuden hela året.",
            "Kompostering är inte tillåten hela året.",
        ],
    ),
    Subject(
        "The fee for a building permit is 450 euros. It must be paid within 30 days after the decision.",
        ["A building permit costs a fee of 450 euros.", "The fee must be paid within 30 days after the decision."],
        [
            "The fee for a building permit is 540 euros.",
            "The fee must be paid within 30 weeks after the decision.",
            "The fee must be paid within 30 days before the decision.",
            "The fee need not be paid after the decision; it is not due.",
        ],
    ),
    Subject(
        "The committee rejected the application on 12 March 2025. The applicant may appeal within three weeks.",
        [
            "The application was rejected by the committee on March 12, 2025.",
            "The applicant may appeal within 3 weeks.",
        ],
        [
            "The committee approved the application on 12 March 2025.",
            "The committee rejected the application on 12 May 2025.",
            "The applicant may not appeal within three weeks.",
            "The applicant may appeal within five weeks.",
        ],
    ),
    Subject(
        "Dogs must be kept on a leash in the park between 1 March and 20 August. Outside that time they may run free.",
        [
            "Between 1 March and 20 August dogs must be kept on a leash in the park.",
            "Outside that time dogs may run free.",
        ],
        [
            "Dogs need not be kept on a leash in the park between 1 March and 20 August.",
            "Between 1 March and 30 August dogs must be kept on a leash in the park.",
        ],
    ),
    Subject(
        "The library in Östersund holds 120 000 books. It is open every day except Sunday.",
        ["Östersund library holds 120,000 books.", "The library is open every day except Sunday."],
        [
            "The library in Östersund holds 210 000 books.",
            "The library is closed every day except Sunday.",
            "The library in Sundsvall holds 120 000 books.",
        ],
    ),
    Subject(
        "Maria Andersson has been head of the planning office since 2019. Her deputy is John Miller.",
        ["Maria Andersson has led the planning office as its head since 2019.", "John Miller is deputy."],
        [
            "Maria Lindberg has been head of the planning office since 2019.",
            "Maria Andersson has been head of the planning office since 2016.",
            "Her deputy is Carl Bergman.",
        ],
    ),
    Subject(
        "Residents can borrow tools for up to seven days. Borrowing is free of charge.",
        ["Residents can borrow tools for up to 7 days.", "Borrowing tools is free of charge."],
        [
            "Residents can borrow tools for up to seven weeks.",
            "Borrowing is not free of charge.",
            "Residents cannot borrow tools.",
        ],
    ),
    Subject(
        "The speed limit was lowered from 50 to 40 km/h in 2024. Accidents decreased by 18 percent.",
        ["The speed limit was lowered to 40 km/h in 2024.", "Accidents decreased by 18%."],
        [
            "The speed limit was raised to 40 km/h in 2024.",
            "Accidents increased by 18 percent.",
            "Accidents decreased by 81 percent.",
        ],
    ),
    Subject(
        "Applications are handled in the order in which they arrive. Incomplete applications are returned to the sender.",
        [
            "Applications are handled in order of arrival, in the order they arrive.",
            "Incomplete applications are returned to the sender.",
        ],
        ["Incomplete applications are not returned to the sender.", "Complete applications are burnt after a month."],
    ),
    Subject(
        "Waste must not be left beside the containers. Those who do so may be fined up to 10 000 crowns.",
        [
            "Waste must not be left beside the containers.",
            "Fines of up to 10,000 kronor may follow for those who do so.",
        ],
        ["Waste may be left beside the containers.", "Those who do so may be fined up to 1 000 crowns."],
    ),
    Subject(
        "Kommunen har 62 300 invånare och 41 grundskolor. Antalet elever ökade med 2,4 procent under 2025.",
        ["Kommunen har 62 300 invånare.", "Under 2025 ökade antalet elever med 2,4 %."],
        [
            "Kommunen har 63 200 invånare.",
            "Antalet elever minskade med 2,4 procent under 2025.",
            "Antalet elever ökade med 4,2 procent under 2025.",
        ],
    ),
]


def pairs() -> Iterator[tuple[str, str, bool]]:
    """Statement, passage, and whether the passage says it; each statement also with passages of other subjects."""
    for index, subject in enumerate(SUBJECTS):
        yield from ((statement, subject.passage, True) for statement in subject.true)
        yield from ((statement, subject.passage, False) for statement in subject.lies)
        for step in (1, 7, 13):
            other = SUBJECTS[(index + step) % len(SUBJECTS)].passage
            yield from ((statement, other, False) for statement in subject.true)
