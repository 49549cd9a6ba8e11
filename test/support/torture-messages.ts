/**
 * The torture tests of RFC 4475, written anew from what the RFC says they are to try; names are those of the RFC. Lines end in CR LF
 * where the text has LF.
 */

export interface TortureMessage {
  readonly name: string
  /** What it tries. */
  readonly about: string
  readonly bytes: Uint8Array
}

function message(name: string, about: string, head: string, body: string | Uint8Array = '') {
  const octets = Buffer.concat([
    Buffer.from(`${head.replace(/^\n/, '').replace(/\n/g, '\r\n')}\r\n\r\n`),
    typeof body === 'string' ? Buffer.from(body.replace(/\n/g, '\r\n')) : body,
  ])
  return { name, about, bytes: octets }
}

const SDP = `v=0
o=mhandley 29739 7272939 IN IP4 192.0.2.3
s=-
c=IN IP4 192.0.2.4
t=0 0
m=audio 49217 RTP/AVP 0 12
`
const SDP_OCTETS = SDP.length + SDP.split('\n').length - 1
const REQUEST = `Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK-torture
From: <sip:caller@example.net>;tag=1
To: <sip:callee@example.com>
Call-ID: torture@192.0.2.1
Max-Forwards: 70
Contact: <sip:caller@192.0.2.1>`
const PNG = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0xff)
const LONG = 'x'.repeat(1000)

/** Sections 3.1.1 and 3.3: whoever reads SIP must be able to read these. */
export const VALID: readonly TortureMessage[] = [
  message(
    'wsinv',
    'folding everywhere, blanks around separators, compact and long names, odd case, leading zeros, an empty Subject',
    `
INVITE sip:callee@example.com;unknownparam SIP/2.0
TO :
 sip:callee@example.com ;   tag    = 1918181833n
from   : "Caller \\\\\\""       <sip:caller@example.com>
  ;
  tag = 98asjd8
MaX-fOrWaRdS: 0068
Call-ID: wsinv.ndaksdj@192.0.2.1
Content-Length   : ${SDP_OCTETS}
cseq: 0009
  INVITE
Via  : SIP  /   2.0
 /UDP
    192.0.2.2;branch=390skdjuw
s :
NewFangledHeader:   newfangled value
 continued newfangled value
UnknownHeaderWithUnusualValue: ;;,,;;,;
Content-Type: application/sdp
Route:
 <sip:services.example.com;lr;unknownwith=value;unknown-no-value>
v:  SIP  / 2.0  / TCP     spindle.example.com   ;
  branch  =   z9hG4bK9ikj8  ,
 SIP  /    2.0   / UDP  192.168.255.111   ; branch=
 z9hG4bK30239
m:"Quoted string \\"\\"" <sip:caller@example.com> ; newparam =
      newvalue ;
  secondparam ; q = 0.33`,
    SDP,
  ),
  message(
    'intmeth',
    'every character a token may have, quoted octets, UTF-8',
    `
!interesting-Method0123456789_*+\`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0
Via: SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+\`'~
To: "BEL:\\\u0007 NUL:\\\u0000 DEL:\\\u007f" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com>
From: token1~\` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%="\u0440\u0430\u0431\u043e\u0442\u0430";tag=_token~1'+\`*%!-.
Call-ID: intmeth.word%ZK-!.*_+'@word\`~)(><:\\/"][?}{
CSeq: 139122385 !interesting-Method0123456789_*+\`.%indeed'~
Max-Forwards: 255
extensionHeader-!.%*+_\`'~:\ufeff\u5927\u505c\u96fb
Content-Length: 0`,
  ),
  message(
    'esc01',
    'escapes in URIs',
    `
INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0
Via: SIP/2.0/UDP host5.example.net;branch=z9hG4bK39ud
To: sip:%75se%72@example.com
From: <sip:I%20have%20spaces@example.net>;tag=938
Max-Forwards: 87
Call-ID: esc01.239409asdfakjkn23onasd0-3234
CSeq: 234234 INVITE
Contact: <sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>
Content-Length: 0`,
  ),
  message(
    'escnull',
    'escaped NUL in two contacts that differ',
    `
REGISTER sip:example.com SIP/2.0
To: sip:null-%00-null@example.com
From: sip:null-%00-null@example.com;tag=839923423
Max-Forwards: 70
Call-ID: escnull.39203ndfvkjdasfkq3w4otrq0adsfdfnavd
CSeq: 14398234 REGISTER
Via: SIP/2.0/UDP host5.example.com;branch=z9hG4bKkdjuw
Contact: <sip:%00@host5.example.com>
Contact: <sip:%00%00@host5.example.com>
L:0`,
  ),
  message(
    'esc02',
    'a percent sign that escapes nothing, in a method and in names',
    `
RE%47IST%45R sip:registrar.example.com SIP/2.0
To: "%Z%45" <sip:resource@example.com>
From: "%Z%45" <sip:resource@example.com>;tag=f232jadfj23
Call-ID: esc02.asdfnqwo34rq23i34jrjasdcnl23nrlknsdf
Via: SIP/2.0/TCP host.example.com;branch=z9hG4bK209%fzsnel234
CSeq: 29344 RE%47IST%45R
Max-Forwards: 70
Contact: <sip:alias1@host1.example.com>
C%6Fntact: <sip:alias2@host2.example.com>
Contact: <sip:alias3@host3.example.com>
l: 0`,
  ),
  message(
    'lwsdisp',
    'no blank between display name and bracket',
    `
OPTIONS sip:user@example.com SIP/2.0
To: sip:user@example.com
From: caller<sip:caller@example.com>;tag=323
Max-Forwards: 70
Call-ID: lwsdisp.1234abcd@funky.example.com
CSeq: 60 OPTIONS
Via: SIP/2.0/UDP funky.example.com;branch=z9hG4bKkdjuw
l: 0`,
  ),
  message(
    'longreq',
    'very long values',
    `
INVITE sip:user@example.com SIP/2.0
To: "I have a user name of ${LONG} proportion"<sip:user@example.com:6000;unknownparam1=${LONG};longparam${LONG}=shortvalue>
F: sip:${LONG}@example.net;tag=12982424;unknownheaderparam${LONG}=${LONG};unknownValuelessparam${LONG}
Call-ID: longreq.one${LONG}longcallid
CSeq: 3882340 INVITE
Unknown-${LONG}-Header: unknown-${LONG}-value; unknown-${LONG}-parameter-name = unknown-${LONG}-value
Via: SIP/2.0/TCP sip33.example.com
v: SIP/2.0/TCP sip32.example.com
V: SIP/2.0/TCP sip31.example.com
Via: SIP/2.0/TCP sip30.example.com, SIP/2.0/TCP sip29.example.com ,SIP/2.0/TCP sip28.example.com
Via: SIP/2.0/TCP 192.0.2.2;branch=very${LONG}longbranchvalue
Max-Forwards: 70
Contact: <sip:amazinglylongcallername${LONG}@host5.example.net>
Content-Type: application/sdp
l: ${SDP_OCTETS}`,
    SDP,
  ),
  message(
    'dblreq',
    'a second message behind the body of the first, in one datagram',
    `
REGISTER sip:example.com SIP/2.0
To: sip:j.user@example.com
From: sip:j.user@example.com;tag=43251j3j324
Max-Forwards: 8
I: dblreq.0ha0isndaksdj99sdfafnl3lk233412
Contact: sip:j.user@host.example.com
CSeq: 8 REGISTER
Via: SIP/2.0/UDP 192.0.2.125;branch=z9hG4bKkdjuw23492
Content-Length: 0`,
    `INVITE sip:joe@example.com SIP/2.0
t: sip:joe@example.com
From: sip:caller@example.net;tag=141334
Max-Forwards: 8
Call-ID: dblreq.0ha0isnda977644900765@192.0.2.15
CSeq: 8 INVITE
Via: SIP/2.0/UDP 192.0.2.15;branch=z9hG4bKkdjuw380234
Content-Length: 0

`,
  ),
  message(
    'semiuri',
    'semicolons in the user part',
    `
OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0
To: sip:j_user@example.com
From: sip:caller@example.org;tag=33242
Max-Forwards: 3
Call-ID: semiuri.0ha0isndaksdj
CSeq: 8 OPTIONS
Accept: application/sdp, application/pkcs7-mime, multipart/mixed
Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKkdjuw
l: 0`,
  ),
  message(
    'transports',
    'transports nobody knows',
    `
OPTIONS sip:user@example.com SIP/2.0
To: sip:user@example.com
From: <sip:caller@example.com>;tag=323
Max-Forwards: 70
Call-ID: transports.kijh4akdnaqjkwendsasfdj
Accept: application/sdp
CSeq: 60 OPTIONS
Via: SIP/2.0/UDP t1.example.com;branch=z9hG4bKkdjuw
Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKklasjdhf
Via: SIP/2.0/TLS t3.example.com;branch=z9hG4bK2980unddj
Via: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKasd0f3en
Via: SIP/2.0/TCP t5.example.com;branch=z9hG4bK0a9idfnee
l: 0`,
  ),
  message(
    'mpart01',
    'a multipart body with octets that are no text',
    `
MESSAGE sip:kumiko@example.org SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK-d87543-4dade06d0bdb11ee-1--d87543-;rport
Max-Forwards: 70
Route: <sip:127.0.0.1:5080>
Identity: r5mwreLuyDRYBi/0TiPwEsY3rEVsk/G2WxhgTV1PF7hHuLIK0YWVKZhKv9Mj8UeXqkMVbnVq37CD+813gvYjcBUaZngQmXc9WNZSDNGCzA==
Contact: <sip:fluffy@127.0.0.1:5070>
To: <sip:kumiko@example.org>
From: <sip:fluffy@example.com>;tag=2fb0dcc9
Call-ID: 3d9485ad0c49859b@Zmx1ZmZ5LW1hYy0xNi5sb2NhbA..
CSeq: 1 MESSAGE
Content-Type: multipart/mixed;boundary=7a9cbec02ceef655
Content-Length: ${PNG.length}`,
    PNG,
  ),
  message(
    'unreason',
    'a reason phrase in UTF-8',
    `
SIP/2.0 200 = 2**3 * 5**2 \u043d\u043e \u0441\u0442\u043e \u0434\u0435\u0432\u044f\u043d\u043e\u0441\u0442\u043e
Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923
Call-ID: unreason.1234ksdfak3j2erwedfsASdf
CSeq: 35 INVITE
From: sip:user@example.com;tag=11141343
To: sip:user@example.edu;tag=2229
Content-Length: 0`,
  ),
  message(
    'noreason',
    'no reason phrase, and the blank before it',
    `
SIP/2.0 100 ${''}
Via: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bK2398ndaoe
Call-ID: noreason.asndj203insdf99223ndf
CSeq: 35 INVITE
From: <sip:user@example.com>;tag=39ansfi3
To: <sip:user@example.edu>;tag=902jndnke3
Content-Length: 0`,
  ),
  message(
    'badbranch',
    'a branch that is nothing but the cookie',
    `
OPTIONS sip:user@example.com SIP/2.0
To: sip:user@example.com
From: sip:caller@example.org;tag=33242
Max-Forwards: 3
Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK
Call-ID: badbranch.sadonfo23i420jv0as0derf3j3n
CSeq: 8 OPTIONS
l: 0`,
  ),
  message(
    'unkscm',
    'a Request-URI of a scheme nobody knows',
    `
OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0
${REQUEST}
CSeq: 3923423 OPTIONS
Content-Length: 0`,
  ),
  message(
    'novelsc',
    'a Request-URI of a scheme that is known elsewhere',
    `
OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0
${REQUEST}
CSeq: 3923423 OPTIONS
Content-Length: 0`,
  ),
  message(
    'unksm2',
    'other headers with such schemes',
    `
REGISTER sip:example.com SIP/2.0
To: isbn:2983792873
From: <http://www.example.com>;tag=3234233
Call-ID: unksm2.daksdj@hyphenated-host.example.com
CSeq: 234902 REGISTER
Max-Forwards: 70
Via: SIP/2.0/UDP 192.0.2.21:5060;branch=z9hG4bKkdjuw
Contact: <name:John_Smith>
l: 0`,
  ),
  message(
    'bext01',
    'extensions nobody supports',
    `
OPTIONS sip:user@example.com SIP/2.0
${REQUEST}
CSeq: 8 OPTIONS
Require: nothingSupportsThis, nothingSupportsThisEither
Proxy-Require: noProxiesSupportThis, norDoAnyProxiesSupportThis
Content-Length: 0`,
  ),
  message(
    'invut',
    'a body of a type nobody knows',
    `
INVITE sip:user@example.com SIP/2.0
${REQUEST}
CSeq: 8 INVITE
Content-Type: application/unknownformat
Content-Length: 40`,
    '<audio>\n <pcmu port="443"/>\n</audio>\nxx\n',
  ),
  message(
    'regaut01',
    'credentials of a scheme nobody knows',
    `
REGISTER sip:example.com SIP/2.0
${REQUEST}
CSeq: 9338 REGISTER
Authorization: NoOneKnowsThisScheme opaque-data=here
Content-Length: 0`,
  ),
  message(
    'bcast',
    'a response whose second Via is a broadcast address',
    `
SIP/2.0 200 OK
Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923
Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23
Call-ID: bcast.0384840201234ksdfak3j2erwedfsASdf
CSeq: 35 INVITE
From: sip:user@example.com;tag=11141343
To: sip:user@example.edu;tag=2229
Content-Length: 0`,
  ),
  message(
    'zeromf',
    'no hop left',
    `
OPTIONS sip:user@example.com SIP/2.0
${REQUEST.replace('70', '0')}
CSeq: 8 OPTIONS
Content-Length: 0`,
  ),
  message(
    'cparam01',
    'a parameter nobody knows behind a bare URI',
    `
REGISTER sip:example.com SIP/2.0
${REQUEST.replace(/Contact.*/, 'Contact: sip:+19725552222@gw1.example.net;unknownparam')}
CSeq: 9338 REGISTER
Content-Length: 0`,
  ),
  message(
    'cparam02',
    'the same within the URI',
    `
REGISTER sip:example.com SIP/2.0
${REQUEST.replace(/Contact.*/, 'Contact: <sip:+19725552222@gw1.example.net;unknownparam>')}
CSeq: 9338 REGISTER
Content-Length: 0`,
  ),
  message(
    'regescrt',
    'a header within the URI of a contact',
    `
REGISTER sip:example.com SIP/2.0
${REQUEST.replace(/Contact.*/, 'Contact: <sip:user@example.com?Route=%3Csip:sip.example.com%3E>')}
CSeq: 14398234 REGISTER
L:0`,
  ),
  message(
    'sdp01',
    'an Accept that says no to descriptions',
    `
INVITE sip:user@example.com SIP/2.0
${REQUEST}
CSeq: 8 INVITE
Accept: text/nobodyKnowsThis
Content-Length: 0`,
  ),
  message(
    'inv2543',
    'as RFC 2543 had it: no branch, no tag, no Max-Forwards, no Contact',
    `
INVITE sip:UserB@example.com SIP/2.0
Via: SIP/2.0/UDP iftgw.example.com
From: <sip:+13035551111@ift.client.example.net;user=phone>
Record-Route: <sip:UserB@example.com;maddr=ss1.example.com>
To: sip:+16505552222@ss1.example.net;user=phone
Call-ID: inv2543.1717@ift.client.example.com
CSeq: 56 INVITE
Content-Type: application/sdp`,
    SDP,
  ),
]

/** Sections 3.1.2 and 3.3: each with the reason it is to be refused for. */
export const INVALID: readonly (TortureMessage & { readonly fault: string })[] = [
  refused(
    'bad-via',
    'badinv01',
    'stray semicolons and commas',
    `
INVITE sip:user@example.com SIP/2.0
To: sip:j.user@example.com
From: sip:caller@example.net;tag=134161461246
Max-Forwards: 7
Call-ID: badinv01.0ha0isndaksdjasdf3234nas
CSeq: 8 INVITE
Via: SIP/2.0/UDP 192.0.2.15;;,;,,
Contact: "Joe" <sip:joe@example.org>;;;;
Content-Length: 0`,
  ),
  refused(
    'body-too-short',
    'clerr',
    'a Content-Length beyond the end',
    `
INVITE sip:user@example.com SIP/2.0
${REQUEST}
CSeq: 8 INVITE
Content-Type: application/sdp
Content-Length: 9999`,
    SDP,
  ),
  refused(
    'bad-content-length',
    'ncl',
    'a negative Content-Length',
    `
INVITE sip:user@example.com SIP/2.0
${REQUEST}
CSeq: 0 INVITE
Content-Type: application/sdp
Content-Length: -999`,
    SDP,
  ),
  refused(
    'bad-cseq',
    'scalar02',
    'numbers too large, in a request',
    `
REGISTER sip:example.com SIP/2.0
${REQUEST.replace('70', '300')}
CSeq: 36893488147419103232 REGISTER
Expires: 1${'0'.repeat(100)}
Content-Length: 0`,
  ),
  refused(
    'bad-cseq',
    'scalarlg',
    'and in a response',
    `
SIP/2.0 503 Service Unavailable
Via: SIP/2.0/TCP host129.example.com;branch=z9hG4bKzzxdiwo34sw
To: <sip:user@example.com>
From: <sip:other@example.net>;tag=2easdjfejw
CSeq: 9292394834772304023312 OPTIONS
Call-ID: scalarlg.noase0of0234hn2qofoaf0232aewf2394r
Retry-After: 949302838503028349304023988
Content-Length: 0`,
  ),
  refused(
    'bad-address',
    'quotbal',
    'a quote that does not end',
    `
INVITE sip:user@example.com SIP/2.0
${REQUEST.replace(/To: .*/, 'To: "Mr. J. User <sip:j.user@example.com>')}
CSeq: 8 INVITE
Content-Length: 0`,
  ),
  refused(
    'bad-start-line',
    'ltgtruri',
    'brackets around the Request-URI',
    `
INVITE <sip:user@example.com> SIP/2.0
${REQUEST}
CSeq: 1 INVITE
Content-Length: 0`,
  ),
  refused(
    'bad-start-line',
    'lwsruri',
    'a blank within the Request-URI',
    `
INVITE sip:user@example.com; lr SIP/2.0
${REQUEST}
CSeq: 1 INVITE
Content-Length: 0`,
  ),
  refused(
    'bad-start-line',
    'lwsstart',
    'more blanks than one in the request line',
    `
INVITE  sip:user@example.com  SIP/2.0
${REQUEST}
CSeq: 1 INVITE
Content-Length: 0`,
  ),
  refused(
    'bad-start-line',
    'trws',
    'blanks behind the request line',
    `
OPTIONS sip:remote-target@example.com SIP/2.0${'  '}
${REQUEST}
CSeq: 238923 OPTIONS
Content-Length: 0`,
  ),
  refused(
    'bad-request-uri',
    'escruri',
    'headers within the Request-URI',
    `
INVITE sip:user@example.com?Route=%3Csip:example.com%3E SIP/2.0
${REQUEST}
CSeq: 8 INVITE
Content-Length: 0`,
  ),
  refused(
    'bad-date',
    'baddate',
    'a Date of another zone than GMT',
    `
INVITE sip:user@example.com SIP/2.0
${REQUEST}
CSeq: 2234923 INVITE
Date: Fri, 01 Jan 2010 16:00:00 EST
Content-Length: 0`,
  ),
  refused(
    'bad-address',
    'regbadct',
    'a contact with headers and no brackets',
    `
REGISTER sip:example.com SIP/2.0
${REQUEST.replace(/Contact.*/, 'Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E')}
CSeq: 14398234 REGISTER
Content-Length: 0`,
  ),
  refused(
    'bad-address',
    'badaspec',
    'blanks within brackets',
    `
OPTIONS sip:user@example.org SIP/2.0
${REQUEST.replace(/To: .*/, 'To: "Watson, Thomas" < sip:t.watson@example.org >')}
CSeq: 2 OPTIONS
Content-Length: 0`,
  ),
  refused(
    'bad-address',
    'baddn',
    'a comma in a display name without quotes',
    `
OPTIONS sip:t.watson@example.org SIP/2.0
${REQUEST.replace(/From: .*/, 'From: Bell, Alexander <sip:a.g.bell@example.com>;tag=43')}
CSeq: 2 OPTIONS
Content-Length: 0`,
  ),
  refused(
    'bad-version',
    'badvers',
    'a version there is not yet',
    `
OPTIONS sip:t.watson@example.org SIP/7.0
${REQUEST}
CSeq: 2 OPTIONS
Content-Length: 0`,
  ),
  refused(
    'method-mismatch',
    'mismatch01',
    'another method in CSeq',
    `
OPTIONS sip:user@example.com SIP/2.0
${REQUEST}
CSeq: 8 INVITE
Content-Length: 0`,
  ),
  refused(
    'method-mismatch',
    'mismatch02',
    'the same, of a method nobody knows',
    `
NEWMETHOD sip:user@example.com SIP/2.0
${REQUEST}
CSeq: 8 INVITE
Content-Length: 0`,
  ),
  refused(
    'bad-status-line',
    'bigcode',
    'a status code of ten digits',
    `
SIP/2.0 4294967301 better not break the receiver
${REQUEST}
CSeq: 353494 INVITE
Content-Length: 0`,
  ),
  refused(
    'missing-header',
    'insuf',
    'without Call-ID, From and To',
    `
INVITE sip:user@example.com SIP/2.0
CSeq: 193942 INVITE
Via: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKkdj.insuf
Content-Length: 0`,
  ),
  refused(
    'repeated-header',
    'multi01',
    'headers twice that may be there once',
    `
INVITE sip:user@company.com SIP/2.0
${REQUEST}
Via: SIP/2.0/UDP 192.0.2.23:5060;branch=z9hG4bKkdjuw
Max-Forwards: 5
Call-ID: other@192.0.2.1
CSeq: 5 INVITE
CSeq: 59 INVITE
To: sip:another@example.com
From: sip:another@example.net;tag=3413415
Content-Length: 0`,
  ),
  refused(
    'bad-content-length',
    'mcl01',
    'two lengths',
    `
OPTIONS sip:user@example.com SIP/2.0
${REQUEST}
CSeq: 9 OPTIONS
Content-Length: 13
Content-Length: 5`,
    'There are no more',
  ),
]

function refused(fault: string, name: string, about: string, head: string, body = '') {
  return { ...message(name, about, head, body), fault }
}
