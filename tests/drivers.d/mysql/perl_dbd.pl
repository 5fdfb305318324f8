#!/usr/bin/perl
# DBD::mysql or DBD::MariaDB, whose name is the argument; with prepared statements of its own and of the server's.
use strict;
use warnings;
use utf8;
use DBI;
use Digest::MD5 qw(md5_hex);
use Encode qw(encode_utf8);

my $driver = shift @ARGV;
my $p = $driver eq 'mysql' ? 'mysql' : 'mariadb';
my $emoji = "ü – 漢字 – 🐬 – \\ ' \" \n%";
$| = 1;
local $SIG{__WARN__} = sub { };

sub env { $ENV{"MY_$_[0]"} }

sub text {
    my $v = shift;
    return 'undef' unless defined $v;
    return '[' . join(', ', map { text($_) } @$v) . ']' if ref $v eq 'ARRAY';
    my $text = encode_utf8($v);
    $text =~ s/\n/\\n/g;
    return length $text < 2000 ? $text : length($text) . ' ' . md5_hex($text);
}

sub see { print join(' | ', map { text($_) } @_), "\n" }

sub login {
    my %with = (user => env('USER'), password => env('PASSWORD'), db => env('DATABASE'), more => {}, dsn => '', @_);
    my $tls = env('CA') && !$with{clear} ? ";${p}_ssl=1;${p}_ssl_ca_file=" . ($with{ca} || env('CA')) . ";${p}_ssl_verify_server_cert=1" : '';
    $tls =~ s/_verify_server_cert=1/_optional=1/ if $driver eq 'mysql'; # of this library it is all that there is
    my $dsn = "dbi:$driver:" . ($with{db} ? "database=$with{db};" : '') . "host=" . env('HOST') . ";port=" . env('PORT') . "$tls$with{dsn}";
    my %utf8 = $driver eq 'mysql' ? (mysql_enable_utf8mb4 => 1) : ();
    return DBI->connect($dsn, $with{user}, $with{password}, { RaiseError => 1, PrintError => 0, AutoCommit => 1, %utf8, %{ $with{more} } });
}

sub attempt {
    my ($what, $work) = @_;
    eval { $work->(); 1 } ? see($what, 'nothing') : see($what, $DBI::err, $DBI::state, $DBI::errstr);
}

sub rows { my ($c, $sql, @args) = @_; return $c->selectall_arrayref($sql, {}, @args) }

my %native = ("${p}_server_prepare" => 1);
my @both = ({}, \%native);
my @features = (
    login => sub {
        see(rows(login(), 'select 1, current_user(), database(), @@character_set_client, @@collation_connection'));
        see(rows(login(db => ''), 'select database()'));
        attempt('login', sub { login(password => 'wrong') });
        attempt('login', sub { login(user => 'nobody') });
    },
    tls => sub {
        return print "-\n" unless env('CA');
        print "encrypted yes\n" if rows(login(), 'select 1');
        attempt('in clear', sub { login(clear => 1) });
        return if $driver eq 'mysql';
        print 'stranger ', (eval { login(ca => env('OTHER_CA')) } ? 'taken' : 'refused'), "\n";
    },
    types => sub {
        for my $how (@both) {
            my $s = login(more => $how)->prepare('select * from d_types order by id');
            $s->execute;
            see(map { $s->{$_} } 'NAME', 'TYPE', 'PRECISION', 'SCALE', 'NULLABLE', "${p}_type_name", "${p}_max_length");
            while (my $row = $s->fetchrow_arrayref) { see($row) }
        }
    },
    unicode => sub {
        for my $how (@both) {
            my $c = login(more => $how);
            $c->do('insert into d_texts (t) values (?)', {}, $emoji);
            see(rows($c, 'select t, length(t), t = ? from d_texts', $emoji));
        }
    },
    prepared => sub {
        for my $how (@both) {
            my $c = login(more => $how);
            my $s = $c->prepare('select ? + 1, ?');
            for my $i (1, 2, 3) { $s->execute($i, $i % 2 ? undef : 'x'); see($s->fetchall_arrayref) }
            see($s->{NUM_OF_PARAMS});
            attempt('error', sub { rows($c, 'select * from nowhere where a = ?', 1) });
            attempt('error', sub { $c->do('insert into d_money values (?, ?)', {}, 1, -1) });
        }
    },
    results => sub {
        my $c = login(dsn => ";${p}_multi_statements=1");
        for my $sql ("select 1; select 'two', 2; do 1; select 3", 'call d_two()', 'select 1; selec') {
            attempt('at last', sub {
                my $s = $c->prepare($sql);
                $s->execute;
                do { see($s->{NUM_OF_FIELDS} ? $s->fetchall_arrayref : $s->rows) } while $s->more_results;
            });
        }
        attempt('one only', sub { login()->do('select 1; select 2') });
    },
    keys => sub {
        for my $found (0, 1) {
            my $c = login(dsn => ";${p}_client_found_rows=$found");
            for my $sql ('insert into d_keys (v) values (1), (2)', 'update d_keys set v = 7', 'update d_keys set v = 7', 'delete from d_keys', 'truncate d_keys') {
                see($sql, $c->do($sql), $c->{"${p}_insertid"}, $c->last_insert_id(undef, undef, 'd_keys', 'id'), $c->{"${p}_info"});
            }
        }
    },
    transactions => sub {
        my ($c, $other) = (login(), login());
        $c->begin_work;
        $c->do('insert into d_money values (1, 10)');
        see(rows($other, 'select * from d_money'));
        $c->rollback;
        $c->{AutoCommit} = 0;
        $c->do('insert into d_money values (1, 11)');
        $c->commit;
        see(rows($other, 'select * from d_money'), $c->{AutoCommit});
    },
    errors => sub {
        my $c = login();
        for my $sql ('selec', 'select * from nowhere', 'insert into d_money values (2, -1)', "signal sqlstate '45000' set message_text = 'our ü', mysql_errno = 30001") {
            attempt('error', sub { $c->do($sql) });
        }
        $c->do('select 1/0');
        see($c->{"${p}_warning_count"}, rows($c, 'show warnings'));
    },
    large => sub {
        my $data = "0123456789abcdez" x (1 << 16);
        for my $how (@both) {
            my $c = login(more => $how);
            $c->do('replace into d_large values (?, ?)', {}, 1, $data);
            $c->do('replace into d_large values (?, ?)', {}, 2, $data x 5);
            see(rows($c, 'select * from d_large order by id'));
        }
    },
    stream => sub {
        my $c = login(more => { "${p}_use_result" => 1 });
        my $s = $c->prepare('select seq, repeat("x", 500) from seq_1_to_20000');
        $s->execute;
        my $sum = 0;
        while (my $row = $s->fetchrow_arrayref) { $sum += $row->[0] }
        undef $s;
        see($sum, rows($c, 'select 1'));
    },
    ping => sub {
        my $c = login();
        see($c->ping, rows($c, 'select 1'), (split /:/, $c->{"${p}_stat"})[0]);
    },
    timeout => sub {
        my $c = login();
        $c->do('set max_statement_time = 0.5');
        attempt('server', sub { rows($c, 'select count(*) from seq_1_to_100000 a, seq_1_to_100000 b where a.seq <> b.seq * 7') });
    },
    compress => sub {
        my $c = login(dsn => ";${p}_compression=1");
        see(rows($c, 'select repeat("x", 100000)'), rows($c, 'select 1'));
    },
    infile => sub {
        my $c = login(dsn => ";${p}_local_infile=1");
        attempt('loaded', sub { $c->do("load data local infile '" . env('FOLDER') . "/rows.txt' into table d_loaded") });
        see(rows($c, 'select * from d_loaded'));
    },
);

eval "require DBD::$driver; 1" or die $@;
print "version DBD::$driver ", "DBD::$driver"->VERSION, "\n";
while (my ($name, $work) = splice @features, 0, 2) {
    print "begin $name\n";
    eval { $work->(); 1 } or print 'raised ', text($@), "\n";
}
print "end\n";
