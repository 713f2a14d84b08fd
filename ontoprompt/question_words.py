"""English words that questions are made of: no names, unless written like one."""

# Words that carry a question's grammar.
_STOP = """
a about above across after again against ago all almost along already also although always am among an and
another any anybody anyone anything are around as asked at away be because been before being below beside
besides between beyond both but by can cannot could did different do does doing done down during each either
else enough ever every everyone everything exactly except few fewer find first for former found from further
get give given gives go goes got had has have having he her here hers him himself his how however i if in
include includes including inside instead into is isn it its itself just kind kinds last least less let like
list many may me mention might mine more most mostly much must my myself name named names near need neither
never next no nobody none nor not nothing now of off often on once one only or other others otherwise our
ours out outside over own per please rather same say second shall she should show since so some somebody
someone something somewhere sort still such tell than that the their theirs them themselves then there these
they thing things this those though three through throughout till to together too toward towards two under
until up upon us use used uses using very via want wants was we well were what whatever when whenever where
wherever whether which whichever while who whoever whole whom whose why will with within without would yes
yet you your yours
"""

# What questions of facts are about: kinds of things, relations, measures, and their verbs and adjectives.
_COMMON = """
act acted acting active actor actress actually address administrative adult affiliation age airline airport
album alive alma amount animal animals answer appear appeared architect area army art artist assembly
associated astronaut athlete author average award awarded awards band base based basin battle became become
begin beginning begins belong belongs best big bigger biggest biography birth birthday birthplace black book
books border bordering borders born boss bridge bridges broadcast brother brothers budget build building
buildings built buried business buy called came capital capitals car career cast cause caused causes cell
center century ceo chain chairman chancellor change channel chapter character characters chemical chief
child children church citizen citizens city class close club clubs coach coast code coin college color
colour come comedian comes comic common companies company compare compose composed composer compute computer
consist contain contained contains continent contribute cost count countries country county couple cover
create created creates creator credited crew cross crosses currency currently date daughter day days dead
death deaths debut deep deepest defence degree densest density depth design designed designer designs
develop developed developer develops die died dies difference direct directed director directors directs
discover discovered discoverer discovery distance district division doctor doctoral documentary door draft
drink drive earlier early east economy edit edited editor education elect elected election elevation employ
employed employee employees employer employs end ended ending ends engine english episode episodes equal
established event exist exists expensive extinct face fact family famous fan far fast fastest father fewest
fiction field fight figure film films final finance fish flag flow flows follow followed food football
footballer force foreign form formed forms fought foundation founded founder founders founding full game
games gas genre genres goal gold good government governor graduate graduated great greater greatest group
grow guest guitar guitarist half hand happen happened head headquarter headquartered headquarters height
held high higher highest history hold holder holiday home host hour hours house human husband ice image
important income independent industry inflow influence influenced inhabitant inhabitants instrument
instruments introduced invent invented inventor island islands issue job join joined journal judge key kill
killed king know known knows label lake lakes land landlocked language languages large larger largest late
later latest launch launched law lead leader leaders leads league leave led left leg length license lie lies
life light line live lived lives living local locate located location locations long longer longest look
lose lost low lower lowest made magazine main maintain make maker makes making male man manager manufacture
manufactured manufacturer map mark marriage married marry mascot mass match maximum mayor mean means medal
media meet meeting member members men met metre metres military million minimum minister minute money month
months mother motto mountain mountains mouth move moved movement movie movies museum music musical musician
musicians nation national nationality native nearby network new news newspaper nickname night north notable
note novel novels number numbers object occupation ocean offered office official officially old older oldest
open opened opera operate operated operating operator order organisation organization origin original
originally outflow owned owner owners owns page paint painted painter painting parent parents park part
parties party pass passed past people performed period person persons phone pilot place placed places plane
planet plant plants play played player players playing plays point political politician poor popular
populated population port position possible power predecessor premiere present president prime prize produce
produced producer producers produces product production products profession professional program programming
province public publication publish published publisher publishes question race radio ranked rate
reach read real reason receive received record recorded red reference region reign relation relative release
released religion remain render represent represented republic residence resident result revenue rich right
rise river rivers road role room route rule ruled ruler run running runs school schools science scientist
scientists score screenplay script sea season seasons seat see seen sell sequel series serve served service
set ship ships short shorter shortest shows sibling siblings side sign signed similar singer single sister
sisters site situated size small smaller smallest soccer software son song songs sons sound source south
space speak speaks species speed spend spoken sport sports spouse stadium stand star starred starring stars
start started starting state states station stations statistics status story street student students studied
studio study style subject successor summer support surface system take taken takes tall taller tallest
taught team teams television term territory theatre theory time times title today top total tournament town
towns train tree trees tributary true tv type types universities university value vehicle venue version
video village voice volume vote wall war wars water way weapon website week weigh weight west white wide
widow width wife win winner winners wins winter woman women won word words work worked working works world
worth write writer writers writes written wrote year years young younger youngest zone
"""

STOP_WORDS = frozenset(_STOP.split())
COMMON_WORDS = frozenset(_COMMON.split())

# Country: its adjectives and inhabitants.
_DEMONYMS = """
afghanistan: afghan
albania: albanian
algeria: algerian
angola: angolan
argentina: argentine argentinian
armenia: armenian
australia: australian
austria: austrian
azerbaijan: azerbaijani
bangladesh: bangladeshi
belarus: belarusian
belgium: belgian
bolivia: bolivian
brazil: brazilian
bulgaria: bulgarian
cambodia: cambodian
cameroon: cameroonian
canada: canadian
chile: chilean
china: chinese
colombia: colombian
croatia: croatian
cuba: cuban
cyprus: cypriot
czech republic: czech
czechia: czech
denmark: danish dane
ecuador: ecuadorian
egypt: egyptian
england: english
estonia: estonian
ethiopia: ethiopian
finland: finnish finn
france: french
georgia: georgian
germany: german
ghana: ghanaian
greece: greek
guatemala: guatemalan
haiti: haitian
hungary: hungarian
iceland: icelandic
india: indian
indonesia: indonesian
iran: iranian
iraq: iraqi
ireland: irish
israel: israeli
italy: italian
jamaica: jamaican
japan: japanese
jordan: jordanian
kazakhstan: kazakh
kenya: kenyan
latvia: latvian
lebanon: lebanese
libya: libyan
lithuania: lithuanian
luxembourg: luxembourgish
malaysia: malaysian
malta: maltese
mexico: mexican
mongolia: mongolian
morocco: moroccan
nepal: nepalese nepali
netherlands: dutch
new zealand: zealander
nicaragua: nicaraguan
nigeria: nigerian
norway: norwegian
pakistan: pakistani
panama: panamanian
paraguay: paraguayan
peru: peruvian
philippines: filipino philippine
poland: polish
portugal: portuguese
romania: romanian
russia: russian
saudi arabia: saudi
scotland: scottish
senegal: senegalese
serbia: serbian
singapore: singaporean
slovakia: slovak
slovenia: slovenian slovene
somalia: somali
south korea: korean
spain: spanish
sudan: sudanese
sweden: swedish swede
switzerland: swiss
syria: syrian
taiwan: taiwanese
tanzania: tanzanian
thailand: thai
tunisia: tunisian
turkey: turkish
uganda: ugandan
ukraine: ukrainian
united kingdom: british
united states: american
united states of america: american
uruguay: uruguayan
venezuela: venezuelan
vietnam: vietnamese
wales: welsh
zambia: zambian
zimbabwe: zimbabwean
"""


# Country: what it is called beside its name.
_OTHER_NAMES = """
cape verde: cabo verde
czech republic: czechia
democratic republic of the congo: drc | congo kinshasa
east timor: timor leste
eswatini: swaziland
iran: persia
ivory coast: cote divoire
myanmar: burma
netherlands: holland
republic of ireland: ireland | eire
republic of the congo: congo brazzaville
russia: russian federation
sri lanka: ceylon
turkey: turkiye
united arab emirates: uae | emirates
united kingdom: uk | great britain | britain
united states: usa | us | united states of america | america
vatican city: vatican | holy see
"""


# What stands for what in names: short forms, and the numbers of rulers, seasons and ships.
_ABBREVIATED = """
st: saint | street
saint: st
mt: mount
mount: mt
ft: fort
dr: doctor
mr: mister
jr: junior
uni: university
univ: university
dept: department
intl: international
natl: national
govt: government
assn: association
bros: brothers
brothers: bros
co: company
corp: corporation
inc: incorporated
ltd: limited
vs: versus
sr: senior
sgt: sergeant
gen: general
no: number
ny: york
uk: kingdom
us: states | american
soccer: football
football: soccer
centre: center
center: centre
theatre: theater
theater: theatre
color: colour
colour: color
organization: organisation
organisation: organization
1: i | first
2: ii | second
3: iii | third
4: iv | fourth
5: v | fifth
6: vi | sixth
7: vii | seventh
8: viii | eighth
9: ix | ninth
10: x | tenth
ii: 2
iii: 3
iv: 4
vi: 6
vii: 7
viii: 8
first: 1st | 1
second: 2nd | 2
third: 3rd | 3
"""


def _abbreviated() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for line in _ABBREVIATED.strip().splitlines():
        short, _, full = line.partition(": ")
        found[short] = tuple(word.strip() for word in full.split("|"))
    return found


ABBREVIATED = _abbreviated()

# What a question calls a kind of thing: what graphs call it.
_KIND_NAMES = """
adviser: advisor
animal: taxon
artist: musician
character: fictional human | fictional character
church: church building
college: university
company: business | enterprise | public company
country: sovereign state | nation
degree: academic degree
disease: illness
drug: medication | essential medicine | pharmaceutical drug
firm: business | company
football: association football
game: video game
holiday: public holiday
illness: disease
job: profession | occupation
label: record label
man: human | male
medicine: medication | essential medicine
movie: film
nation: sovereign state | country
nonprofit: nonprofit organization
npo: nonprofit organization
occupation: profession
office: position
organisation: organization
party: political party
people: human
person: human
player: athlete
prize: award
program: television program
programme: television program
publication: written work
qualification: academic degree
railroad: railway line
railway: railway line
scheme: system
series: television series
show: television series | television program
sickness: disease
soccer: association football
someone: human
species: taxon
state: sovereign state | us state
team: sports team
theater: theatre
title: position
town: city
version: version, edition, or translation
village: human settlement
who: human
whom: human
whose: human
woman: human | female
"""


KIND_NAMES = {
    word: tuple(name.strip().lower().replace(",", "") for name in kinds.split("|"))
    for word, _, kinds in (line.partition(": ") for line in _KIND_NAMES.strip().splitlines())
}


def _other_names() -> dict[str, str]:
    found: dict[str, str] = {}
    for line in _OTHER_NAMES.strip().splitlines():
        country, _, others = line.partition(": ")
        found.update((other.strip(), country) for other in others.split("|"))
    return found


OTHER_NAMES = _other_names()


def _demonyms() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for line in _DEMONYMS.strip().splitlines():
        country, _, adjectives = line.partition(": ")
        for adjective in adjectives.split():
            found[adjective] = (*found.get(adjective, ()), country)
    return found


DEMONYMS = _demonyms()


def without_names(question: str) -> str:
    """The question without the capitalised words after the first; the question itself if nothing is left."""
    words = question.split()
    kept = [word for number, word in enumerate(words) if number == 0 or not word[:1].isupper()]
    return " ".join(kept) if len(kept) > 1 else question
