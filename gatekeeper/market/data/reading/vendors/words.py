"""Words for the columns of bars in other languages: for proposals that a person reads, and to find an encoding."""

BY_ROLE = {
    role: frozenset(words.split())
    for role, words in {
        "time": "datum zeit zeitpunkt date jour heure fecha hora data day unix datetime timestamp begin start period "
        "dates local_time bar_time trade_date tradedate 日期 时间 交易日期 日付 дата время",
        "open": "erster eröffnung eroeffnung anfang ouv ouverture apertura abertura open_price openprice first px_open "
        "开盘 开盘价 始値 открытие",
        "high": "hoch höchst tageshoch haut plus_haut máximo maximo máxima high_price max px_high 最高 最高价 高値 "
        "максимум",
        "low": "tief tiefst tagestief bas plus_bas mínimo minimo mínima low_price min px_low 最低 最低价 安値 минимум",
        "close": "schluss schlusskurs schlußkurs letzter clot clôt clôture cloture dernier cierre último ultimo "
        "fechamento close_price closeprice price last px_last settle 收盘 收盘价 終値 закрытие",
        "volume": "volumen umsatz stuecke stücke stück vol vol. qty quantité cantidad volume_base tick_volume "
        "base_volume px_volume total_volume share_volume 成交量 出来高 объём объем",
        "symbol": "kürzel kuerzel wertpapier wkn isin aktie titel name code ts_code secid sid asset coin contract "
        "代码 股票代码",
    }.items()
}
_OTHERS = frozenset({"währung", "séance", "variação", "cotação", "précédent", "成交额", "名称", "涨跌幅", "цена"})
TELLING = frozenset(word for words in (*BY_ROLE.values(), _OTHERS) for word in words if not word.isascii())
"""Those that only the right encoding makes of a header's bytes."""
