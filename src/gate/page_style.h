// The style of the plain pages: the device matrix, the demo's report. Tables that fit a phone, light and
// dark; verdicts are a <span class="v pass"> (fail, maybe, none). Thread rules: a constant.
#pragma once

namespace anemone::gate {

inline constexpr const char* kPageStyle = R"(
:root{color-scheme:light dark;--ink:#1d2126;--soft:#5a636e;--paper:#fff;--line:#d8dde3;--head:#f3f5f7;
--pass:#11703a;--pass-bg:#e3f5ea;--fail:#a4161a;--fail-bg:#fde7e7;--maybe:#7a5200;--maybe-bg:#fdf2d6;--none:#5a636e;--none-bg:#eef0f3}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ed;--soft:#9aa4b0;--paper:#14171b;--line:#333a42;--head:#1d2227;
--pass:#7ddba0;--pass-bg:#12331f;--fail:#ff9c9c;--fail-bg:#431619;--maybe:#f0c674;--maybe-bg:#3b2d0d;--none:#9aa4b0;--none-bg:#23282e}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:72rem;padding:1rem;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
h1{font-size:1.5rem;margin:.5rem 0}h2{font-size:1.1rem;margin:2rem 0 .5rem}p{margin:.5rem 0;color:var(--soft)}
.scroll{overflow-x:auto}a{text-decoration:none}:focus-visible{outline:2px solid var(--soft);outline-offset:2px}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.45rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
th{background:var(--head);font-weight:600}tbody th{font-weight:500;min-width:9rem}
.v{display:inline-block;padding:.05rem .5rem;border-radius:.6rem;font-size:.85rem;font-weight:600;white-space:nowrap}
.pass{color:var(--pass);background:var(--pass-bg)}.fail{color:var(--fail);background:var(--fail-bg)}
.maybe{color:var(--maybe);background:var(--maybe-bg)}.none{color:var(--none);background:var(--none-bg)}
.n{display:block;font-size:.85rem;color:var(--soft)}
details{border:1px solid var(--line);border-radius:.5rem;margin:.6rem 0;padding:.5rem .8rem}summary{cursor:pointer;overflow-wrap:anywhere}
ul{margin:.2rem 0;padding-left:1.1rem;color:var(--soft);font-size:.85rem}li,td{overflow-wrap:anywhere}
)";

}  // namespace anemone::gate
