"""Verbs in questions to tables: those that say nothing of their own, what is done in rows, which columns they mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

EMPTY_VERBS: Final = frozenset(
    "happen happened occur occurred hit struck get gets got go goes went stand stood take took taken part make made end"
    " sail sailed travel travelled ended carry carried set do done".split()
)
"""Verbs that say no more than that there is a row, or a number in it."""
WEAK_VERBS: Final = frozenset(
    "receive received cause caused cast send sent lead led collect collected spend spent run runs find found need"
    " needed"
    " use used see seen bring brought raise raised pay pays paid".split()
)
"""Verbs that say no more than a number or a condition next to them; of rows alone they say more: "how many loans were
paid"."""
ACTS: Final[Mapping[str, str]] = {
    verb: nouns
    for verbs, nouns in (
        ("borrow borrows borrowed lend lends lent loaned", "loan loans lending lendings"),
        ("order orders ordered placed", "order orders"),
        ("sell sells sold", "sale sales"),
        ("buy buys bought purchase purchased", "purchase purchases order orders sale sales"),
        ("pay pays paid", "payment payments invoice invoices fee fees"),
        ("visit visits visited", "visit visits visitor visitors"),
        ("book books booked", "booking bookings reservation reservations"),
        ("rent rents rented hired", "rental rentals"),
        ("donate donates donated", "donation donations gift gifts"),
        ("give gives gave given", "donation donations gift gifts talk talks lecture lectures speech speeches"),
        ("register registered enrol enrolled", "registration registrations enrolment enrolments"),
        ("fly flies flew flown", "flight flights"),
        ("vote votes voted", "vote votes"),
        ("play plays played", "match matches game games concert concerts gig gigs"),
        ("inspect inspected", "inspection inspections"),
        ("report reported", "report reports incident incidents complaint complaints"),
        ("treat treated", "treatment treatments patient patients admission admissions stay stays"),
        ("admit admitted", "admission admissions stay stays patient patients"),
        ("deliver delivered", "delivery deliveries shipment shipments"),
        ("ship shipped", "shipment shipments"),
        ("repair repaired", "repair repairs"),
        ("move moves moved transfer transferred", "transfer transfers move moves"),
        ("see sees seen", "appointment appointments consultation consultations"),
        ("depart departs departed leave leaves left", "departure departures trip trips flight flights"),
        ("perform performed", "performance performances concert concerts show shows"),
        ("attend attended", "attendance attendances lesson lessons class classes"),
        ("ride rides rode ridden", "ride rides"),
        ("drive drives drove driven", "drive drives trip trips journey journeys"),
        ("run runs ran", "run runs race races"),
        ("swim swims swam", "swim swims race races result results"),
        ("speak spoke spoken", "talk talks speech speeches"),
        ("start starts started begin began", "trip trips ride rides journey journeys"),
        ("call called", "call calls"),
        ("rescue rescued", "rescue rescues"),
        ("complain complained", "complaint complaints"),
        ("crash crashed collided", "accident accidents crash crashes collision collisions"),
        ("hire hires hired", "hire hires rental rentals"),
        ("harvest harvested", "harvest harvests"),
        ("print printed", "print prints"),
        ("adopt adopted", "adoption adoptions"),
        ("catch catches caught", "catch catches"),
    )
    for verb in verbs.split()
}
"""What is done in a row of a table of this name: "borrowed" of loans."""
VERBS: Final[Mapping[str, str]] = {
    verb: columns
    for verbs, columns in (
        ("donated donate donates gave give gives presented", "donor giver"),
        ("billed bill bills charged charges charging invoiced", "charge bill fee amount price invoice"),
        ("insured insures insure covered", "insured insurance insurer cover"),
        ("drives drive", "drives driver"),
        ("holds chairs chaired", "chair"),
        ("designed designs", "designer architect"),
        ("sang sings sung", "singer vocalist"),
        ("coaches coached trains trained", "coach trainer"),
        ("supplied supplies", "supplier vendor"),
        ("edited edits", "editor"),
        ("translated translates", "translator"),
        ("illustrated illustrates", "illustrator"),
        ("photographed", "photographer"),
        ("installed fitted", "installer installed fitted"),
        ("inspected inspects", "inspector"),
        ("repaired repairs fixed mended", "mechanic technician engineer repairer"),
        ("sponsored sponsors", "sponsor"),
        ("hosted hosts", "host venue"),
        ("delivered delivers", "courier carrier driver delivered"),
        ("grown", "grower"),
        ("budgeted", "budget"),
        ("enrolled registered", "enrolled enrolment registered registration joined"),
        ("retired", "retired retirement"),
        ("planted", "planted planting"),
        ("finished completed", "finished completed completion end"),
        ("expires expired expire", "expires expiry expiration"),
        ("wrote written writes write", "author writer"),
        ("directed directs", "director"),
        ("made makes manufactured produced", "maker manufacturer producer artist"),
        ("built builds", "builder architect shipyard"),
        ("published publishes", "publisher"),
        ("owns own owned", "owner"),
        ("sold sells", "seller salesperson vendor"),
        ("bought buys purchased", "buyer customer purchaser"),
        ("won win wins", "winner won elected rank position place"),
        ("runs run operates operated", "operator"),
        ("founded", "founder"),
        ("painted", "painter artist"),
        ("composed", "composer"),
        ("teaches taught", "teacher"),
        ("manages managed leads led heads", "manager head leader"),
        ("born", "born birth birthday"),
        ("costs cost worth valued priced", "price cost value amount fee fare rent budget"),
        ("scored scores score", "score mark points grade goals"),
        ("weighs weigh weighing", "weight mass"),
        ("earns earn earned earning paid pays", "salary wage pay income"),
        ("kept stored located housed displayed", "location room place store site"),
        ("lives live living based", "city town country residence location"),
        ("works work working employed", "department team division employer city office location country site contract"),
        ("lasts last lasted", "duration length minutes hours"),
        ("rated rates", "rating score grade"),
        ("hired joined started", "hired hire joined start started since"),
        ("opened", "opened opening"),
        ("admitted", "admission admitted"),
        ("discharged", "discharge discharged"),
        ("departed", "departure departed"),
        ("arrived", "arrival arrived"),
        ("launched", "launched launch"),
        ("released", "released release"),
        ("died", "died death"),
        ("grow grows grew grown", "crop"),
    )
    for verb in verbs.split()
}
"""Which columns a verb may mean, as words of their names."""
WORTH: Final = frozenset("costs cost worth valued priced".split())
"""Verbs that mean the one column of money, whatever it is called."""
TIME_VERBS: Final = frozenset(
    "released published built founded made opened launched established completed created born".split()
)
"""What happens at the only date or year of a row."""
LEFT: Final = frozenset("left sold died gone lost sent won met paid held bought taken born made built given".split())
"""Verbs in the past that do not end in -ed, as names of dates: "left on"."""
NEUTRAL: Final = frozenset(
    "release produce publish make build host hold organise organize offer provide supply serve employ perform handle"
    " process complete record register log list note count attract draw bring consume burn emit generate deliver"
    " contribute contain require total reach get score gain manage achieve obtain belong exist operate appear feature"
    " show display stage win earn take gross sell cost weigh measure stock print send place check carry out conduct"
    " cover span stretch go fly flow"
    " attend sit stay attend appear mention classify label mark describe name rank live"
    " won made built held drew brought burnt gave kept ran sent took wrote shown sold saw started began"
    " reach hand fit give come bring keep look accept receive"
    " dealt led met put fetch yield post written given driven chosen flown".split()
)
"""Verbs that say no more than a number or a condition next to them, where the table has no column of theirs."""
TELLING: Final = frozenset(
    "lose lost refuse reject cancel fail miss return decline leave quit withdraw dismiss fire sack drop skip avoid"
    " reverse destroy damage break kill die injure resign retire appeal steal hate like love dislike want wish promise"
    " prefer regret expect plan hope forget need deny stop end close lack waste save change owe break hurt remove"
    " delete sell buy join borrow lend import export gain beat defeat draw".split()
)
"""Verbs that say which rows, so that no question is understood without them: "how many matches did Rovers lose"."""
